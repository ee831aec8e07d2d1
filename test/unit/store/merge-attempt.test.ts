import { mergeAttempt } from '../../../store/catalog/merge-step.js';
import { anAttempt } from './records.js';

const failure = { code: 'STEP_FAILED', what: 'Ended with exit code 137.' };

test('an attempt that was given up did not fail by itself, whatever it says of its end', () => {
  const lost = anAttempt({ status: 'lost', closedAt: '2026-01-01T00:00:01.000Z' });
  const failed = anAttempt({
    status: 'failed',
    failure,
    exitCode: 137,
    closedAt: '2026-01-01T00:00:02.000Z',
  });
  expect(mergeAttempt(lost, failed)).toMatchObject({
    status: 'lost',
    exitCode: 137,
    closedAt: lost.closedAt,
  });
});

test.each([
  ['completed', 'failed'],
  ['failed', 'running'],
  ['failed', 'cancelled'],
] as const)('what an attempt says of its own end counts: %s after %s', (said, stored) => {
  expect(mergeAttempt(anAttempt({ status: stored }), anAttempt({ status: said })).status).toBe(said);
});

test('one that was given up for another completes nothing', () => {
  expect(mergeAttempt(anAttempt({ status: 'lost' }), anAttempt({ status: 'completed' })).status).toBe('lost');
});

test.each(['running', 'lost', 'cancelled', 'failed'] as const)(
  'a closed attempt stays closed: %s comes late',
  (late) => {
    expect(mergeAttempt(anAttempt({ status: 'completed' }), anAttempt({ status: late })).status).toBe(
      'completed',
    );
  },
);
