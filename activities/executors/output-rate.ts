import { formatBytes } from '../../sdk/bytes.js';

/** How much an attempt may print: the rest would fill disk and store, and nobody reads it. */
export type OutputRate = {
  /** Bytes per second, for as long as it likes. */
  readonly rate: number;
  /** Bytes at once, over that. */
  readonly burst: number;
};

/** Holds one attempt's output to its rate: a bucket that fills with time, and that each line takes its bytes from. */
export type RateLimit = {
  /** Whether a line may be kept. One that may not is counted. @param time ISO 8601, when it was printed */
  admits(bytes: number, time: string): boolean;
  /** In words, what was left out since this was asked last; undefined where nothing was. */
  leftOut(): string | undefined;
};

export function createRateLimit({ rate, burst }: OutputRate): RateLimit {
  let room = burst;
  let at: { readonly text: string; readonly ms: number } | undefined;
  let isOver = false;
  let lines = 0;
  let bytes = 0;

  function fill(time: string): void {
    // Many lines have one time.
    const text = time.slice(0, 23);
    if (text === at?.text) return;
    const ms = Date.parse(time);
    // A clock may be set back, and two streams are not in order.
    if (at !== undefined && !(ms > at.ms)) return;
    if (at !== undefined) room = Math.min(burst, room + ((ms - at.ms) / 1000) * rate);
    at = { text, ms };
  }

  return {
    admits(size, time) {
      fill(time);
      // Once over, until a second's worth is there: one mark for many lines.
      isOver = isOver ? room < Math.min(burst, rate) : room <= 0;
      if (isOver) {
        lines += 1;
        bytes += size;
        return false;
      }
      room -= size;
      return true;
    },
    leftOut() {
      if (lines === 0) return undefined;
      // What reads the output may have missed some of it before.
      const text = `${lines} ${lines === 1 ? 'line' : 'lines'} (${formatBytes(bytes)}) or more left out: more than ${formatBytes(rate)}/s`;
      lines = 0;
      bytes = 0;
      return text;
    },
  };
}
