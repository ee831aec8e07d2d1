import { isStepClosed } from '../../sdk/states.js';
import type { AttemptRecord, StepRecord } from '../catalog.js';

/** A step as it is kept: its record and the highest attempt known when its status was written (0: none). */
export type KnownStep = { readonly record: StepRecord; readonly attempt: number };

export type StepContext = {
  /** Highest attempt of the step in the catalog; 0 for none. */
  readonly known: number;
  /** Highest attempt that came in the same call: the one this row speaks for; 0 when it says nothing of attempts. */
  readonly speaking: number;
  /** The attempt that the row speaks for was given up for another: it commits nothing. */
  readonly fenced: boolean;
  /** Nothing of a closed run opens again. */
  readonly runClosed: boolean;
};

/**
 * What a step is once a row about it has come, in whatever order rows come. Fields the row does not have stay.
 *
 * - A row that speaks for an attempt older than the newest one known is late: it only fills in an input that was missing.
 * - An attempt that was given up for another completes nothing.
 * - A row that speaks for no attempt never turns a running step into a waiting one.
 * - A closed step opens again only for an attempt with a higher number than the one it was closed by, and never in a closed
 *   run; what belonged to its end is then gone. A step closed before any attempt was known counts as closed by its first; but one
 *   whose result was taken from elsewhere had none: that result's content was lost, and its first attempt makes it again.
 * - A row that closes a step always counts, also on one that is closed: who writes last knows best, but when it was closed so
 *   the first row knew. The failure of an earlier attempt leaves with completion.
 */
export function mergeStep(
  stored: KnownStep | undefined,
  incoming: StepRecord,
  { known, speaking, fenced, runClosed }: StepContext,
): KnownStep {
  if (!stored) return { record: incoming, attempt: Math.max(known, speaking) };
  const newest = Math.max(known, stored.attempt);
  const attempt = Math.max(newest, speaking);
  const reopens = isStepClosed(stored.record.status) && !isStepClosed(incoming.status);
  const closedBy = isTaken(stored.record) ? stored.attempt : Math.max(stored.attempt, 1);
  // Who only sees that Temporal has the step waiting may have looked before an attempt began.
  const unknowing =
    speaking === 0 && stored.record.status === 'running' && ['queued', 'retrying'].includes(incoming.status);
  const late =
    unknowing ||
    (fenced && incoming.status === 'completed') ||
    (speaking > 0 && speaking < newest) ||
    // A person has to see that a step is parked, whatever closed it.
    (reopens && (runClosed || (incoming.status !== 'parked' && attempt <= closedBy)));
  if (late) return { record: fillInput(stored.record, incoming), attempt: stored.attempt };
  // When it was scheduled the first row knew best, and so when it came to be as it is.
  const scheduledAt = [stored.record.scheduledAt, incoming.scheduledAt].sort()[0] ?? incoming.scheduledAt;
  const confirms = isStepClosed(incoming.status) && stored.record.status === incoming.status;
  const closedAt = (confirms ? stored.record.closedAt : undefined) ?? incoming.closedAt;
  return {
    record: {
      ...base(stored.record, incoming, { reopens, made: speaking > 0 }),
      ...incoming,
      scheduledAt,
      ...(closedAt !== undefined && { closedAt }),
    },
    attempt,
  };
}

/**
 * An attempt once a row about it has come: a closed one stays closed, and only gains what it did not have. One that was given up
 * neither failed by itself nor commits anything, whatever it says of its end; one that completed does not fail any more.
 */
export const mergeAttempt = (stored: AttemptRecord | undefined, incoming: AttemptRecord): AttemptRecord =>
  stored && stored.status !== 'running' && !counts(stored, incoming)
    ? { ...incoming, ...stored }
    : { ...stored, ...incoming };

const counts = (stored: AttemptRecord, { status }: AttemptRecord): boolean =>
  stored.status !== 'lost' &&
  (status === 'completed' || (status === 'failed' && stored.status !== 'completed'));

const isTaken = ({ cached, reused }: StepRecord): boolean => cached !== undefined || reused !== undefined;

const fillInput = (record: StepRecord, { input }: StepRecord): StepRecord =>
  record.input === undefined && input !== undefined ? { ...record, input } : record;

/** @param made whether an attempt speaks: what it made was taken from nowhere, also where its beginning and end come in one row */
function base(
  stored: StepRecord,
  incoming: StepRecord,
  { reopens, made }: { readonly reopens: boolean; readonly made: boolean },
): Partial<StepRecord> {
  const { failure, cached, reused, ...own } = stored;
  if (reopens) {
    const { closedAt: _closedAt, output: _output, progress: _progress, detail: _detail, ...fresh } = own;
    return fresh;
  }
  const rest = made ? own : { ...own, ...(cached && { cached }), ...(reused && { reused }) };
  return incoming.status === 'completed' || failure === undefined ? rest : { ...rest, failure };
}
