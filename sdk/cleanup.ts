import type { MillraceError } from './errors.js';

/** Who cancelled a run and why, as far as that is known: not when another tool asked for it, or its parent was cancelled by one. */
export type CancelCause = { readonly by?: string; readonly reason?: string };

/** What a run came to, as its `finally` is told. */
export type RunEnd = {
  readonly status: 'completed' | 'failed' | 'cancelled';
  /** Why it failed. */
  readonly failure?: MillraceError;
};

/** Longest time of a run's cleanup where its pipeline says none, ms. */
export const defaultCleanupMs = 10 * 60_000;
