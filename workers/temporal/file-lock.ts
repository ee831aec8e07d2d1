import { setTimeout as sleep } from 'node:timers/promises';

export type FileLockOptions = {
  /** Called once when another process holds the lock. */
  readonly onWait?: () => void;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Takes the lock that a file stands for, waiting for whoever has it. It is the operating system's lock on an SQLite file, so
 * it falls with the process that holds it, however that dies, and can never be stale.
 */
export async function lockFile(path: string, { onWait, signal }: FileLockOptions = {}): Promise<Disposable> {
  // Imported here: only who starts a service or fetches the CLI needs it.
  const { default: Database } = await import('libsql');
  const database = new Database(path);
  try {
    for (let waited = false; ; waited = true) {
      signal?.throwIfAborted();
      if (tryLock(database)) return { [Symbol.dispose]: () => database.close() };
      if (!waited) onWait?.();
      await sleep(100, undefined, signal === undefined ? {} : { signal });
    }
  } catch (error) {
    database.close();
    throw error;
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
