import { open, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const refreshMs = 5_000;
/** A holder refreshes its lock; one that has not for so long is gone. */
const staleMs = 30_000;
const pollMs = 200;

/**
 * Does work while this process alone holds the lock file. Two holders are possible after a crash of the first: work must bear it,
 * the lock only saves doing it twice.
 */
export async function withFileLock<T>(
  file: string,
  work: () => Promise<T>,
  { signal }: { readonly signal: AbortSignal },
): Promise<T> {
  while (!(await tryCreate(file))) {
    const modified = await stat(file).then(
      ({ mtimeMs }) => mtimeMs,
      () => Date.now(),
    );
    if (Date.now() - modified > staleMs) await rm(file, { force: true });
    else await pause(pollMs, undefined, { signal });
  }
  const refresh = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, refreshMs);
  try {
    return await work();
  } finally {
    clearInterval(refresh);
    await rm(file, { force: true });
  }
}

async function tryCreate(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
