import { isLiveAttempt } from '../../../workers/live-attempt.js';

const known = { attempt: 2, pending: undefined, row: { status: 'running' }, stepClosed: false } as const;

test.each([
  ['an attempt between two deliveries goes on', {}, true],
  ['one whose step has ended does not', { stepClosed: true }, false],
  ['one that Temporal has a worker for does, though the row of its step is behind', { pending: 2, stepClosed: true }, true],
  ['one that has ended does not', { pending: 2, row: { status: 'completed' } }, false],
  ['one that was given up does not', { row: { status: 'lost' } }, false],
  ['one that nobody has recorded yet does', { pending: 2, row: undefined }, true],
  ['one that was given out after Temporal was asked does', { pending: 1, row: undefined }, true],
  ['one that others follow does not', { pending: 3, row: undefined }, false],
  ['one that nobody knows does not', { row: undefined }, false],
] as const)('%s', (_, changed, live) => {
  expect(isLiveAttempt({ ...known, ...changed })).toBe(live);
}); // prettier-ignore
