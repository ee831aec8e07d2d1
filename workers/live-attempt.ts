import type { AttemptRecord } from '../store/catalog.js';

/** What Temporal and the catalog know of an attempt that left something on this host. */
export type KnownAttempt = {
  readonly attempt: number;
  /** The attempt that Temporal has a worker for, or will have; undefined between two deliveries. */
  readonly pending: number | undefined;
  readonly row: Pick<AttemptRecord, 'status'> | undefined;
  readonly stepClosed: boolean;
};

/**
 * Whether an attempt of an open run goes on. Temporal's word goes first: the row of a step may be behind. Between two
 * deliveries only the catalog knows of it: nobody has said that it ended, or was given up for another.
 */
export function isLiveAttempt({ attempt, pending, row, stepClosed }: KnownAttempt): boolean {
  if (row && row.status !== 'running') return false;
  if (pending === attempt) return true;
  // It was scheduled after Temporal was asked, or nobody gave it out.
  if (!row) return pending !== undefined && pending < attempt;
  return !stepClosed;
}
