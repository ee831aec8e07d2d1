import { WorkflowFailedError, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure, TimeoutFailure } from '@temporalio/common';
import type { MillraceError } from '../sdk/errors.js';
import { RunCancelled, RunFailed, RunTimeout, TemporalUnavailable } from '../sdk/errors.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import { fromFailureInfo } from '../sdk/protocol/failure.js';

/** UNAVAILABLE and DEADLINE_EXCEEDED of gRPC. */
const awayCodes: ReadonlySet<unknown> = new Set([14, 4]);

/** Whether a call failed for want of an answer: the service was stopped or cannot be reached any more. */
export function isServiceAway(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: unknown };
  return awayCodes.has(code) || (cause !== undefined && cause !== error && isServiceAway(cause));
}

/** A call that got no answer as one of our errors; any other error as it is. */
export const serviceError = (error: unknown): unknown =>
  isServiceAway(error)
    ? new TemporalUnavailable('The Temporal service does not answer any more.', {
        hint: 'Start it again, or check the network; runs go on where they were.',
        cause: error,
      })
    : error;

/** Why there is no result of a run: what ended it, or what kept the answer away. */
export const runError = (error: unknown, run: string): unknown =>
  error instanceof WorkflowFailedError ? runEnd(error, run) : serviceError(error);

/** What ended a run, as the error its author threw or Temporal's verdict. */
export function runEnd(error: WorkflowFailedError, run: string): MillraceError {
  const { cause } = error;
  if (cause instanceof CancelledFailure) return new RunCancelled('The run was cancelled.', { run });
  if (cause instanceof TerminatedFailure)
    return new RunFailed('The run was terminated from outside.', { run, cause });
  if (cause instanceof TimeoutFailure)
    return new RunTimeout('The run took longer than its timeout.', {
      run,
      hint: 'Raise the `timeout` of the pipeline or of the start.',
    });
  return typed(cause, run) ?? new RunFailed(cause?.message ?? error.message, { run, cause });
}

/** Why a run did not take what a person asked of it. @param options.ended what to say when the run is over */
export function updateError(
  error: unknown,
  { run, ended }: { readonly run: string; readonly ended: MillraceError },
): unknown {
  if (error instanceof WorkflowUpdateFailedError) return typed(error.cause, run) ?? error;
  return error instanceof WorkflowNotFoundError ? ended : serviceError(error);
}

function typed(cause: unknown, run: string): MillraceError | undefined {
  const info =
    cause instanceof ApplicationFailure ? (cause.details?.[0] as FailureInfo | undefined) : undefined;
  return info?.code === undefined ? undefined : fromFailureInfo({ run, ...info }, cause);
}
