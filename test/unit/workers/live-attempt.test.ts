import { isLiveAttempt } from '../../../workers/live-attempt.js';

const known = {
  attempt: 2,
  installation: 'here',
  pending: undefined,
  row: { status: 'running' },
  stepClosed: false,
} as const;

test.each([
  ['an attempt between two deliveries goes on', {}, true],
  ['one whose step has ended does not', { stepClosed: true }, false],
  ['one that Temporal has a worker for does, though the row of its step is behind', { pending: { attempt: 2 }, stepClosed: true }, true],
  ['one that this host says it runs does', { pending: { attempt: 2, host: 'here' } }, true],
  ['one that another host says it runs does not go on here', { pending: { attempt: 2, host: 'there' } }, false],
  ['nor where nobody has recorded it', { pending: { attempt: 2, host: 'there' }, row: undefined }, false],
  ['one that has ended does not', { pending: { attempt: 2 }, row: { status: 'completed' } }, false],
  ['one that was given up does not', { row: { status: 'lost' } }, false],
  ['one that nobody has recorded yet does', { pending: { attempt: 2 }, row: undefined }, true],
  ['one that was given out after Temporal was asked does', { pending: { attempt: 1, host: 'there' }, row: undefined }, true],
  ['one that others follow does not', { pending: { attempt: 3 }, row: undefined }, false],
  ['one that nobody knows does not', { row: undefined }, false],
] as const)('%s', (_, changed, live) => {
  expect(isLiveAttempt({ ...known, ...changed })).toBe(live);
}); // prettier-ignore
