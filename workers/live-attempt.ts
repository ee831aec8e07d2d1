import type { AttemptRecord } from '../store/catalog.js';

/** An attempt that Temporal has a worker for, or will have. */
export type PendingAttempt = {
  readonly attempt: number;
  /** The host that says it runs it. */
  readonly host?: string | undefined;
};

/** What Temporal and the catalog know of an attempt that left something on this host. */
export type KnownAttempt = {
  readonly attempt: number;
  /** This host. */
  readonly installation: string;
  /** Undefined between two deliveries. */
  readonly pending: PendingAttempt | undefined;
  readonly row: Pick<AttemptRecord, 'status'> | undefined;
  readonly stepClosed: boolean;
};

/**
 * Whether an attempt of an open run goes on here. Temporal's word goes first: the row of a step may be behind, and an attempt that
 * was lost before it was recorded that it ran is begun by any host. Between two deliveries only the
 * catalog knows of it: nobody has said that it ended, or was given up for another.
 */
export function isLiveAttempt({ attempt, installation, pending, row, stepClosed }: KnownAttempt): boolean {
  if (row && row.status !== 'running') return false;
  if (pending?.attempt === attempt) return pending.host === undefined || pending.host === installation;
  // It was scheduled after Temporal was asked, or nobody gave it out.
  if (!row) return pending !== undefined && pending.attempt < attempt;
  return !stepClosed;
}
