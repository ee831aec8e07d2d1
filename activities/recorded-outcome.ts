import type { ErrorPlace } from '../sdk/errors.js';
import { fromFailureInfo } from '../sdk/protocol/failure.js';
import type { StepResult } from '../sdk/protocol/messages.js';
import { restoreValue } from '../store/values-by-reference.js';
import type { StepEnvironment } from './step-environment.js';

/**
 * How an attempt ended, where that was recorded and only the word to Temporal was lost: nothing is computed twice.
 * @returns undefined for an attempt that has not ended
 * @throws the failure it ended with
 */
export async function recordedOutcome(
  { catalog, projector, store }: StepEnvironment,
  { run = '', step = '', attempt }: ErrorPlace,
): Promise<StepResult | undefined> {
  await projector.flush();
  const row = (await catalog.attempts(run, step)).find((each) => each.attempt === attempt);
  if (row?.status === 'failed' && row.failure) throw fromFailureInfo(row.failure);
  if (row?.status !== 'completed') return undefined;
  const record = (await catalog.steps(run)).find(({ path }) => path === step);
  if (record?.status !== 'completed') return undefined;
  return { output: (await restoreValue(record.output, store)) as StepResult['output'] };
}
