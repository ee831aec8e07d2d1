import type { ErrorPlace } from '../sdk/errors.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import type { StepResult } from '../sdk/protocol/messages.js';
import type { AttemptRecord } from '../store/catalog.js';
import { restoreValue } from '../store/values-by-reference.js';
import type { StepEnvironment } from './step-environment.js';

/** How an attempt ended. */
export type RecordedOutcome = { readonly result: StepResult } | { readonly failure: FailureInfo };

/** It was looked for, and was not there: not one that was given up, whose container may be. */
const isLost = ({ status, failure }: AttemptRecord): boolean =>
  status === 'lost' && failure?.code === 'ATTEMPT_LOST';

/**
 * How an attempt ended, where that was recorded and only the word to Temporal was lost: nothing is computed twice.
 * @returns undefined for an attempt that has not ended
 */
export async function recordedOutcome(
  { catalog, projector, store }: StepEnvironment,
  { run = '', step = '', attempt }: ErrorPlace,
): Promise<RecordedOutcome | undefined> {
  await projector.flush();
  const row = (await catalog.attempts(run, step)).find((each) => each.attempt === attempt);
  if (row?.failure && (row.status === 'failed' || isLost(row))) return { failure: row.failure };
  if (row?.status !== 'completed') return undefined;
  const record = (await catalog.steps(run)).find(({ path }) => path === step);
  if (record?.status !== 'completed') return undefined;
  return { result: { output: (await restoreValue(record.output, store)) as StepResult['output'] } };
}
