import { setTimeout as sleep } from 'node:timers/promises';

export type FileLockOptions = {
  /** Called once when another process holds the lock. */
  readonly onWait?: () => void;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Does the work while no other process does any under the same file. It is the operating system's lock on an SQLite file, so
 * it falls with the process that holds it, however that dies, and can never be stale.
 */
export async function withFileLock<T>(
  path: string,
  work: () => Promise<T>,
  { onWait, signal }: FileLockOptions = {},
): Promise<T> {
  // Imported here: only who starts a service or fetches the CLI needs it.
  const { default: Database } = await import('libsql');
  const database = new Database(path);
  try {
    for (let waited = false; !tryLock(database); waited = true) {
      if (!waited) onWait?.();
      await sleep(100, undefined, signal === undefined ? {} : { signal });
    }
    return await work();
  } finally {
    database.close();
  }
}

function tryLock(database: { exec(sql: string): unknown }): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'SQLITE_BUSY') return false;
    throw error;
  }
}
