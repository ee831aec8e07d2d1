/** Bytes a message may carry inline: Temporal refuses one of 4 MB, and what stands beside the values needs room too. */
const mostInline = 2.5 * 2 ** 20;
/** What a command or event takes beside its payload. */
const overhead = 300;
/** A message is made and sent within this time; what came earlier was in another one. */
const windowMs = 2_000;
const idleMs = 1_000;
const mostRuns = 1_000;

export type InlineBudget = {
  /** Whether a payload of so many bytes may travel inline; it then counts. */
  fits(run: string, size: number): boolean;
};

/**
 * Many values that are small each may be too much together: what a workflow starts at once travels in one message, and so do
 * answers that arrive together. A payload is seen alone, so what a run sent within the last moments stands for the message.
 * Once that is full, payloads go to the store until the run has been quiet for a second.
 */
export function inlineBudget(now: () => number = Date.now): InlineBudget {
  type Spent = { bytes: number; since: number; last: number };
  const runs = new Map<string, Spent>();
  return {
    fits(run, size) {
      // A child run's input travels in its parent's message.
      const root = run.split('.', 1)[0] ?? run;
      const at = now();
      const spent = runs.get(root);
      const full = spent !== undefined && spent.bytes > mostInline;
      const over = spent === undefined || at - spent.last > idleMs || (!full && at - spent.since > windowMs);
      if (over && runs.size >= mostRuns) runs.clear();
      const current = over ? { bytes: 0, since: at, last: at } : spent;
      runs.set(root, current);
      current.last = at;
      if (current.bytes > mostInline) return false;
      current.bytes += size + overhead;
      return current.bytes <= mostInline;
    },
  };
}
