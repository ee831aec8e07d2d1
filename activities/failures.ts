import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ErrorPlace, MillraceError } from '../sdk/errors.js';
import { InfrastructureFailed, isMillraceError } from '../sdk/errors.js';
import { isRetryable, toFailureInfo } from '../sdk/protocol/failure.js';

/** Any error as one of ours, with its place. What we do not know is infrastructure. */
export function placedError(error: unknown, place: ErrorPlace): MillraceError {
  if (isMillraceError(error)) return error.at(place);
  return new InfrastructureFailed(
    error instanceof Error ? `${error.name}: ${error.message}.` : String(error),
    { ...place, cause: error },
  );
}

/** Our error as Temporal's history keeps it. @param final whether no further attempt may be made */
export function temporalFailure(error: MillraceError, final = !isRetryable(error)): ApplicationFailure {
  return ApplicationFailure.create({
    message: error.message,
    type: error.code,
    nonRetryable: final,
    details: [toFailureInfo(error)],
  });
}

/** Whether Temporal has closed the attempt without anybody cancelling it: its worker was silent too long, or the run is gone. */
export function isGivenUp(signal: AbortSignal): boolean {
  const { reason } = signal as { readonly reason: unknown };
  return (
    reason instanceof CancelledFailure &&
    !['CANCELLED', 'WORKER_SHUTDOWN'].some((word) => reason.message.includes(word))
  );
}

/** Why an activity's signal aborted: its run was cancelled, or this worker is going away and another takes the step. */
export function isWorkerShutdown(signal: AbortSignal): boolean {
  return signal.reason instanceof CancelledFailure && signal.reason.message.includes('WORKER_SHUTDOWN');
}
