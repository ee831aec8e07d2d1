import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  RetryState,
  TerminatedFailure,
  TimeoutFailure,
  TimeoutType,
} from '@temporalio/common';
import type { MillraceError } from '../../../sdk/errors.js';
import { GateFailed, InfrastructureFailed, StepFailed } from '../../../sdk/errors.js';
import { toFailureInfo } from '../../../sdk/protocol/failure.js';
import { childError, failureInfo, typedError, workflowFailure } from '../../../workflows/failures.js';

const place = { run: 'run-1', step: 'train' };
const ofActivity = (cause: Error) =>
  new ActivityFailure(
    'Activity task failed',
    'train',
    'train',
    RetryState.MAXIMUM_ATTEMPTS_REACHED,
    'worker',
    cause,
  );
const failed = new StepFailed('It broke.', { ...place, attempt: 2, fields: { exitCode: 2 } });
const application = ApplicationFailure.create({
  message: 'x',
  type: 'STEP_FAILED',
  details: [toFailureInfo(failed)],
});

test('the author catches the error that the step failed with', () => {
  const error = typedError(ofActivity(application), place);
  expect(error).toBeInstanceOf(StepFailed);
  expect(error).toMatchObject({ place: { ...place, attempt: 2 }, fields: { exitCode: 2 } });
});

test('the author catches the error that a child run ended with', () => {
  const failure = new ChildWorkflowFailure(
    'default',
    { workflowId: 'c', runId: 'r' },
    'child',
    RetryState.RETRY_POLICY_NOT_SET,
    application,
  );
  expect(typedError(failure, place)).toBeInstanceOf(StepFailed);
});

describe('a child run', () => {
  const child = (cause: Error) =>
    new ChildWorkflowFailure(
      'default',
      { workflowId: 'run-1.sub', runId: 'r' },
      'sub',
      RetryState.RETRY_POLICY_NOT_SET,
      cause,
    );

  test.each([
    ['cancelled by itself', new CancelledFailure('x'), 'RUN_CANCELLED', 'was cancelled.'],
    ['too slow', new TimeoutFailure('x', undefined, TimeoutType.START_TO_CLOSE), 'RUN_TIMEOUT', 'took longer than its timeout.'],
    ['terminated', new TerminatedFailure('by hand'), 'RUN_FAILED', 'was terminated from outside.'],
  ])('that was %s is a failure to its parent, by its name', (_, cause, code, words) => {
    expect(childError(child(cause), { ...place, cancelled: false })).toMatchObject({
      code,
      what: `The child run \`run-1.sub\` ${words}`,
      place,
    });
  }); // prettier-ignore

  test('that was cancelled with its parent is a cancellation', () => {
    const failure = child(new CancelledFailure('x'));
    expect(childError(failure, { ...place, cancelled: true })).toBe(failure);
  });

  test('that failed by its own error passes as it is', () => {
    const failure = child(application);
    expect(childError(failure, { ...place, cancelled: false })).toBe(failure);
  });
});

test('a worker that fell silent to the end is infrastructure, and said so', () => {
  const timeout = new TimeoutFailure('activity Heartbeat timeout', undefined, TimeoutType.HEARTBEAT);
  const error = typedError(ofActivity(timeout), place) as MillraceError;
  expect(error).toBeInstanceOf(InfrastructureFailed);
  expect(error.message).toMatch(/fell silent .*Heartbeat.* \[run=run-1 step=train\] Look at the worker host/);
});

test('what nobody knows is infrastructure with its own words', () => {
  expect(typedError(ofActivity(new Error('odd')), place)).toMatchObject({
    code: 'INFRASTRUCTURE_FAILED',
    what: 'odd.',
    place,
  });
});

test('the error of a local activity, which arrives unwrapped, is typed too', () => {
  expect(typedError(application, place)).toBeInstanceOf(StepFailed);
});

test("a cancellation, our own errors and the author's pass as they are", () => {
  const cancelled = ofActivity(new CancelledFailure('cancelled'));
  expect(typedError(cancelled, place)).toBe(cancelled);
  expect(typedError(failed, place)).toBe(failed);
  const own = new TypeError('odd');
  expect(typedError(own, place)).toBe(own);
});

test.each<[string, unknown, object]>([
  ['ours', new GateFailed('Low.', { run: 'run-1' }), { code: 'GATE_FAILED', what: 'Low.' }],
  ['a cancellation', new CancelledFailure('x'), { code: 'STEP_CANCELLED', ...place }],
  [
    "the author's own",
    new TypeError('no such field'),
    { code: 'RUN_FAILED', what: 'The pipeline threw TypeError: no such field.', ...place },
  ],
  ['no error at all', 'just a text', { code: 'RUN_FAILED', what: 'The pipeline threw just a text.' }],
])('an error is recorded with its code: %s', (_, error, expected) => {
  expect(failureInfo(error, place)).toMatchObject(expected);
});

test('what ends a workflow is not tried again and carries all of the error', () => {
  const info = toFailureInfo(failed);
  expect(workflowFailure(info, failed.message)).toMatchObject({
    message: failed.message,
    type: 'STEP_FAILED',
    nonRetryable: true,
    details: [info],
  });
});
