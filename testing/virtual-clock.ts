import { setImmediate as nextTurn } from 'node:timers/promises';

/** Time that passes only where nothing else is left to happen. */
export interface VirtualClock {
  /** ms since 1970. */
  now(): number;
  /** Resolves once so much virtual time has passed. @param ms 0 is the next moment */
  sleep(ms: number): Promise<void>;
  /** Calls `ring` once so much virtual time has passed. @returns what takes it back */
  after(ms: number, ring: () => void): () => void;
  /** Real work (reading a file, a step that really runs): virtual time stands still until it is done. */
  during<T>(work: Promise<T>): Promise<T>;
  /**
   * Lets everything happen that can, time included, and returns when all that is left waits for somebody outside.
   * @returns `endless` when `mostTimers` have rung: what waits so goes on for ever
   */
  untilQuiet(): Promise<'quiet' | 'endless'>;
}

export type VirtualClockOptions = {
  /** Where time begins, ms since 1970. Default: now. */
  readonly start?: number;
  /** So many timers ring at most. Default 100,000. */
  readonly mostTimers?: number;
};

/** Timers ring in order of their time, those of one moment in the order they were set: the same calls give the same order. */
export function createVirtualClock(options: VirtualClockOptions = {}): VirtualClock {
  const { start = Date.now(), mostTimers = 100_000 } = options;
  type Timer = { readonly at: number; readonly ring: () => void };
  const timers = new Set<Timer>();
  const working = new Set<Promise<unknown>>();
  let time = start;
  let rung = 0;

  const after: VirtualClock['after'] = (ms, ring) => {
    const timer = { at: time + Math.max(0, ms), ring };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const earliest = (): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) if (!first || timer.at < first.at) first = timer;
    return first;
  };

  return {
    now: () => time,
    after,
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
    async during(work) {
      working.add(work);
      try {
        return await work;
      } finally {
        working.delete(work);
      }
    },
    async untilQuiet() {
      for (;;) {
        // All that follows from what has happened, however many promises long.
        await nextTurn();
        if (working.size > 0) {
          await Promise.allSettled(working);
          continue;
        }
        const timer = earliest();
        if (!timer) return 'quiet';
        if (rung >= mostTimers) return 'endless';
        rung += 1;
        timers.delete(timer);
        time = timer.at;
        timer.ring();
      }
    },
  };
}
