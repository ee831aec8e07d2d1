import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  isCancellation,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { ErrorPlace } from '../sdk/errors.js';
import {
  InfrastructureFailed,
  isMillraceError,
  MillraceError,
  RunCancelled,
  RunFailed,
  RunTimeout,
  StepCancelled,
} from '../sdk/errors.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import { sentence } from '../sdk/sentence.js';
import { fromFailureInfo, toFailureInfo } from '../sdk/protocol/failure.js';

/** The typed error an author may catch, from what Temporal throws for an activity or a child run. Any other error stays as it is. */
export function typedError(error: unknown, place: ErrorPlace): unknown {
  if (isCancellation(error)) return error;
  // What a local activity threw arrives unwrapped.
  const wrapped = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure;
  const cause = wrapped ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    const info = cause.details?.[0] as FailureInfo | undefined;
    if (info?.code) return fromFailureInfo({ ...place, ...info }, cause);
  }
  if (cause instanceof TimeoutFailure) {
    return new InfrastructureFailed(
      `The worker of the step fell silent and its attempts are used up (${cause.message}).`,
      {
        ...place,
        hint: 'Look at the worker host and start the run again.',
        cause,
      },
    );
  }
  if (!wrapped) return error;
  return new InfrastructureFailed(sentence(cause instanceof Error ? cause.message : error.message), {
    ...place,
    cause,
  });
}

/**
 * What ended a child run, where that is Temporal's verdict. One that was cancelled by itself is a failure to its parent:
 * only with `cancelled`, the parent's own, does it stay a cancellation.
 */
export function childError(
  error: unknown,
  { cancelled, ...place }: ErrorPlace & { readonly cancelled: boolean },
): unknown {
  if (!(error instanceof ChildWorkflowFailure)) return error;
  const { cause } = error;
  const child = `The child run \`${error.execution.workflowId}\``;
  if (isCancellation(error))
    return cancelled ? error : new RunCancelled(`${child} was cancelled.`, { ...place, cause: error });
  if (cause instanceof TimeoutFailure)
    return new RunTimeout(`${child} took longer than its timeout.`, {
      ...place,
      hint: 'Raise the `timeout` of its pipeline.',
      cause: error,
    });
  if (cause instanceof TerminatedFailure)
    return new RunFailed(`${child} was terminated from outside.`, { ...place, cause: error });
  return error;
}

/** JSON of an error for state and catalog. Errors of the author's own pipeline code are RUN_FAILED. */
export function failureInfo(error: unknown, place: ErrorPlace): FailureInfo {
  if (isMillraceError(error)) return toFailureInfo(error);
  if (isCancellation(error))
    return toFailureInfo(new StepCancelled('The step was stopped with its run.', place));
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return toFailureInfo(
    new MillraceError('RUN_FAILED', `The pipeline threw ${text}.`, {
      ...place,
      hint: 'Mend the pipeline and start it again.',
    }),
  );
}

/** What ends a workflow: any other error thrown in workflow code fails the task, which Temporal then retries for ever. */
export const workflowFailure = (info: FailureInfo, message: string): ApplicationFailure =>
  ApplicationFailure.create({ message, type: info.code, nonRetryable: true, details: [info] });
