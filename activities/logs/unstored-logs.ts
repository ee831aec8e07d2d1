import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { StatePaths } from '../../config/state-paths.js';
import { isClosed } from '../../sdk/states.js';
import type { LogPlace } from '../../store/log-chunks.js';
import { takeFileLock } from '../executors/file-lock.js';
import type { StepEnvironment } from '../step-environment.js';

/** Notes that an attempt's log is begun on this host: until its row names it as a whole it is looked after by `storeLeftLogs`. */
export async function noteLog(
  { unstoredLogs }: StatePaths,
  { run, path: step, attempt }: LogPlace,
): Promise<void> {
  const text = JSON.stringify({ run, path: step, attempt } satisfies LogPlace);
  const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
  await mkdir(unstoredLogs, { recursive: true });
  await writeFile(path.join(unstoredLogs, name), text);
}

export type LeftLogsEnvironment = Pick<StepEnvironment, 'paths' | 'store' | 'catalog' | 'logger'>;

/**
 * Stores logs of attempts that ended without: whose worker died before it could, or whose store was away. After it each attempt's
 * row names what this host has of its output.
 */
export async function storeLeftLogs(env: LeftLogsEnvironment, signal?: AbortSignal): Promise<void> {
  const { unstoredLogs } = env.paths;
  for (const name of await readdir(unstoredLogs).catch(() => [])) {
    if (signal?.aborted) return;
    const note = path.join(unstoredLogs, name);
    const place = await readNote(note);
    try {
      if (!place || (await isSettled(place, env))) await rm(note, { force: true });
    } catch (error) {
      if (!signal?.aborted)
        env.logger.warn({ ...place, err: error }, 'could not store the log of an attempt');
    }
  }
}

async function readNote(file: string): Promise<LogPlace | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as LogPlace;
  } catch {
    // The machine died while it was written: the attempt had not begun.
    return undefined;
  }
}

/** Whether the row names the log, or nothing is there to be named. */
async function isSettled(place: LogPlace, env: LeftLogsEnvironment): Promise<boolean> {
  const { run, path: step, attempt } = place;
  const known = await env.catalog.run(run);
  const row = (await env.catalog.attempts(run, step)).find((each) => each.attempt === attempt);
  const over = !known || isClosed(known.status);
  if (!row) return over;
  if (row.log !== undefined) return true;
  if (row.status === 'running' && !over) return false;
  return (await storeWhole(place, env)) === 'nothing';
}

async function storeWhole(
  place: LogPlace,
  { paths, store, catalog }: LeftLogsEnvironment,
): Promise<'stored' | 'busy' | 'nothing'> {
  const file = paths.attemptLog(place.run, place.path, place.attempt);
  const size = await stat(file).then((found) => found.size, () => 0); // prettier-ignore
  const last = (await catalog.logChunks.list(place)).at(-1);
  if (size === 0 || size < (last ? last.position + last.size : 0)) return 'nothing';
  // Who follows the attempt still, stores it.
  const lock = await takeFileLock(`${file}.lock`, { signal: AbortSignal.timeout(busyMs) }).catch(
    () => undefined,
  );
  if (!lock) return 'busy';
  try {
    const log = await store.put(file, { signal: AbortSignal.timeout(storeWithinMs) });
    // Another host may have stored more of it meanwhile.
    return (await catalog.logChunks.replace(place, log)) ? 'stored' : 'nothing';
  } finally {
    await lock[Symbol.asyncDispose]();
  }
}

const busyMs = 500;
/** A store that is away is asked again at the next sweep, which must not wait for it. */
const storeWithinMs = 60_000;
