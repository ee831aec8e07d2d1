import { setTimeout as pause } from 'node:timers/promises';
import { createLanes } from '../../store/lanes.js';
import type { LogFile } from './log-storer.js';
import { logStorer } from './log-storer.js';

export type StoringLogOptions<T> = {
  /** Whether the program goes on without this worker: then what it printed last is stored too. Else the whole log is, as one. */
  readonly isLeft: (end: T) => boolean;
};

const lookMs = 1_000;
/** A worker that ends waits so long for the last chunk. */
const lastWithinMs = 5_000;

/** A store that does not answer must not be asked by all steps at once. */
const lanes = createLanes(4);

/** Does the work, and stores the attempt's log in chunks meanwhile: what is printed is in the store some seconds later. */
export async function storingLog<T>(
  log: LogFile,
  work: () => Promise<T>,
  { isLeft }: StoringLogOptions<T>,
): Promise<T> {
  const storer = logStorer(log);
  const ended = new AbortController();
  async function storeNowAndThen(): Promise<void> {
    while (await waited(lookMs, ended.signal))
      await lanes(async () => {
        if (!ended.signal.aborted) await storer.store({ signal: ended.signal });
      });
  }
  const storing = storeNowAndThen();
  try {
    const end = await work();
    ended.abort();
    await storing;
    if (isLeft(end)) await storer.store({ all: true, signal: AbortSignal.timeout(lastWithinMs) });
    return end;
  } finally {
    ended.abort();
    await storing;
  }
}

/** @returns false when it was cut short */
const waited = (ms: number, signal: AbortSignal): Promise<boolean> =>
  pause(ms, true, { signal, ref: false }).catch(() => false);
