import { ActivityFailure, RetryState, TimeoutFailure } from '@temporalio/common';
import type { StepHeartbeat, StepTask } from '../../../sdk/protocol/messages.js';
import { deliveryFailure } from '../../../workflows/delivery-failure.js';

const task = { run: 'run-1', path: 'train', spec: { name: 'train', queueTimeoutMs: 5 } } as StepTask;
const after = (type: 'HEARTBEAT' | 'SCHEDULE_TO_START', heard?: StepHeartbeat, host?: string) => {
  const cause = new TimeoutFailure('timeout', heard, type);
  const error = new ActivityFailure('x', 'train', 'train', RetryState.TIMEOUT, 'here:1', cause);
  return deliveryFailure(error, task, {
    path: 'train',
    attempt: 1,
    delivery: 2,
    ...(host !== undefined && { host }),
  });
};

test.each([
  ['a worker that fell silent: its host may have the container', after('HEARTBEAT', { status: 'running', host: 'h1' }), 'WORKER_LOST', 'h1'],
  ['one that died before its first word had it from its host', after('HEARTBEAT', undefined, 'h1'), 'WORKER_LOST', 'h1'],
  ['one that nobody heard of', after('HEARTBEAT'), 'WORKER_LOST', undefined],
  ['a host that did not come back', after('SCHEDULE_TO_START', undefined, 'h1'), 'WORKER_LOST', undefined],
  ['no worker took it in time', after('SCHEDULE_TO_START'), 'STEP_TIMEOUT', undefined],
])('%s', (_, { failure, host }, code, expected) => {
  expect([failure.code, host]).toEqual([code, expected]);
}); // prettier-ignore

test('an attempt that waited for room when its worker died has not begun', () => {
  expect(after('HEARTBEAT', { status: 'queued' }).unbegun).toBe(true);
  expect(after('HEARTBEAT', { status: 'running', host: 'h1' }).unbegun).toBeUndefined();
});
