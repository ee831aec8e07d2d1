import { ActivityFailure, TimeoutFailure } from '@temporalio/workflow';
import { StepTimeout, WorkerLost } from '../sdk/errors.js';
import { isMillraceError } from '../sdk/errors.js';
import type { DeliveryPlace } from '../sdk/protocol/activity-id.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import { toFailureInfo } from '../sdk/protocol/failure.js';
import type { StepHeartbeat, StepTask } from '../sdk/protocol/messages.js';
import { failureInfo, typedError } from './failures.js';

/** How a delivery ended without a result. */
export type DeliveryFailure = {
  readonly failure: FailureInfo;
  /** The host that may still have the attempt's container. */
  readonly host?: string;
  /** Its program had not been started: the attempt is as it was. */
  readonly unbegun?: boolean;
  readonly cause: unknown;
};

/** What Temporal throws for a delivery, as what happened to the step. */
export function deliveryFailure(
  error: unknown,
  { run, path, spec }: StepTask,
  { attempt, host }: DeliveryPlace & { readonly host?: string },
): DeliveryFailure {
  const place = { run, step: path, attempt };
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure) {
    const heard = cause.lastHeartbeatDetails as StepHeartbeat | undefined;
    if (cause.timeoutType === 'SCHEDULE_TO_START' && host === undefined) {
      const late = new StepTimeout(
        `Step \`${spec.name}\` waited longer than its limit of ${spec.queueTimeoutMs} ms for a worker.`,
        { ...place, hint: 'Start more workers, or raise `timeout.queue`.', fields: { limit: 'queue' } },
      );
      return { failure: toFailureInfo(late), cause: error };
    }
    const silent = cause.timeoutType === 'SCHEDULE_TO_START';
    // One that died before it could say a word had it from there.
    const known = heard?.host ?? host;
    const lost = new WorkerLost(
      silent ? 'The host that had the attempt did not come back.' : 'The worker of the attempt fell silent.',
      { ...place, hint: "Look at the worker's host.", fields: known === undefined ? {} : { host: known } },
    );
    return {
      failure: toFailureInfo(lost),
      ...(!silent && known !== undefined && { host: known }),
      ...(!silent && heard?.status === 'queued' && { unbegun: true }),
      cause: error,
    };
  }
  const typed = typedError(error, place);
  const failure = failureInfo(typed, place);
  const kept = failure.code === 'ATTEMPT_HANDED_OVER' ? failure.fields?.['host'] : undefined;
  return {
    failure,
    ...(typeof kept === 'string' && { host: kept }),
    ...(failure.code === 'ATTEMPT_HANDED_OVER' && kept === undefined && { unbegun: true }),
    cause: isMillraceError(typed) ? typed.cause : error,
  };
}
