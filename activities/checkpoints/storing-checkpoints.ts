import { setTimeout as pause } from 'node:timers/promises';
import type { CheckpointSpec } from '../../sdk/checkpoint-spec.js';
import { createLanes } from '../../store/lanes.js';
import type { CheckpointPlace } from './checkpoint-place.js';
import { checkpointStorer } from './checkpoint-storer.js';

export type StoringOptions = {
  readonly spec: CheckpointSpec;
  /** What became of an attempt whose work failed. `left`: its program goes on, and who takes it up stores on. */
  readonly atEnd: () => 'failed' | 'stopped' | 'left';
};

/** A folder that is written to is looked at again after this time, ms, so often; then the next interval's turn comes. */
const movingMs = 1_000;
const mostTries = 5;
/** So often it is waited for that the program is not in the midst of a file. */
const calmTries = 3;
/** Storing takes this part of the time at most. */
const share = 0.1;
/** How long the last one may take, ms. What is stopped is waited for: by the person who cancelled, or by a worker that ends. */
const lastWithinMs = { failed: 5 * 60_000, stopped: 20_000 } as const;

/** Several large ones at once would keep this process from everything else. */
const lanes = createLanes(2);

/**
 * Does the work, and stores the attempt's checkpoint meanwhile, at every interval in which it changed, and once more where the
 * work fails.
 */
export async function storingCheckpoints<T>(
  place: CheckpointPlace,
  { spec, atEnd }: StoringOptions,
  work: () => Promise<T>,
): Promise<T> {
  const storer = checkpointStorer(place, spec.maximum);
  const ended = new AbortController();
  const cut = new AbortController();

  async function look(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const outcome = await storer.store({ signal: cut.signal, calm: tries <= calmTries });
      if (outcome !== 'moving' || ended.signal.aborted) return;
      if (tries === mostTries) return storer.complain(neverStill);
      await waited(movingMs, ended.signal);
    }
  }
  async function lookNowAndThen(): Promise<void> {
    let next = spec.everyMs;
    while (await waited(next, ended.signal)) {
      await lanes(async () => {
        const from = performance.now();
        if (!ended.signal.aborted) await look();
        next = Math.max(spec.everyMs, (performance.now() - from) * (1 / share - 1));
      });
    }
  }
  async function storeLast(withinMs: number): Promise<void> {
    const timer = setTimeout(() => cut.abort(), withinMs);
    try {
      ended.abort();
      await looking;
      const outcome = await storer.store({ signal: cut.signal, calm: false, last: true });
      if (cut.signal.aborted) storer.complain('it took too long');
      else if (outcome === 'moving') storer.complain(neverStill);
    } finally {
      clearTimeout(timer);
    }
  }

  const looking = lookNowAndThen();
  try {
    return await work();
  } catch (error) {
    const end = atEnd();
    if (end !== 'left') await storeLast(lastWithinMs[end]);
    throw error;
  } finally {
    ended.abort();
    cut.abort();
    await looking;
  }
}

const neverStill = 'it is written to all the time: write under another name and rename it';

/** @returns false when it was cut short */
const waited = (ms: number, signal: AbortSignal): Promise<boolean> =>
  pause(ms, true, { signal, ref: false }).catch(() => false);
