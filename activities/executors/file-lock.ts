import { randomUUID } from 'node:crypto';
import { link, readFile, readlink, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const refreshMs = 5_000;
/** A holder refreshes its lock; one in another container, which cannot be looked at, is gone when it has not for so long. */
const staleMs = 30_000;
const pollMs = 100;

export type FileLockOptions = { readonly signal: AbortSignal };

/**
 * Does work while this caller alone holds the lock file. The lock of a process that died is taken at once. Two holders are
 * possible where one in another container stood still for half a minute: work must bear it, the lock only saves doing it twice.
 */
export async function withFileLock<T>(
  file: string,
  work: () => Promise<T>,
  options: FileLockOptions,
): Promise<T> {
  const lock = await takeFileLock(file, options);
  try {
    return await work();
  } finally {
    await lock[Symbol.asyncDispose]();
  }
}

/** The same for work that ends elsewhere: disposing it lets go. */
export async function takeFileLock(file: string, { signal }: FileLockOptions): Promise<AsyncDisposable> {
  const holder = JSON.stringify(await thisHolder());
  signal.throwIfAborted();
  while (!(await tryCreate(file, holder))) {
    if (!(await removeStale(file))) await pause(pollMs, undefined, { signal });
  }
  const refresh = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, refreshMs);
  refresh.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(refresh);
      // Not one that was taken away meanwhile, and is another's now.
      if ((await readText(file)) === holder) await rm(file, { force: true });
    },
  };
}

type Holder = {
  readonly pid: number;
  /** Process ids are given again: what else tells it from a later one. */
  readonly started: string;
  /** Where its id is valid. */
  readonly space: string;
  /** Of two in one process. */
  readonly id: string;
};

async function thisHolder(): Promise<Holder> {
  const space = await pidSpace();
  return { pid: process.pid, started: (await startOf(process.pid)) ?? '', space, id: randomUUID() };
}

/** Containers have their own process ids. Empty where the system has no /proc. */
const pidSpace = (): Promise<string> => readlink('/proc/self/ns/pid').catch(() => '');

/** Of a process that lives. Fields 3 and 22 of proc(5); the program's name, in brackets, may hold anything. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = (await readText(`/proc/${pid}/stat`)) ?? '';
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

async function isGone({ pid, started, space }: Holder): Promise<boolean> {
  if (space !== (await pidSpace())) return false;
  if (started !== '') return (await startOf(pid)) !== started;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** It appears whole or not at all. */
async function tryCreate(file: string, holder: string): Promise<boolean> {
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, holder);
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** @returns whether it may be tried again at once */
async function removeStale(file: string): Promise<boolean> {
  const text = await readText(file);
  if (text === undefined) return true;
  const holder = parsed(text);
  const modified = await stat(file).then(({ mtimeMs }) => mtimeMs, () => Date.now()); // prettier-ignore
  const known = holder !== undefined && holder.space === (await pidSpace());
  if (!(holder && known ? await isGone(holder) : Date.now() - modified > staleMs)) return false;
  // Whoever moves it away has it: another may have looked at the same moment, and taken the lock since.
  const moved = `${file}.${randomUUID()}`;
  try {
    await rename(file, moved);
    if ((await readText(moved)) !== text) await link(moved, file).catch(() => undefined);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  } finally {
    await rm(moved, { force: true });
  }
  return true;
}

function parsed(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return undefined;
  }
}

const readText = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined);
