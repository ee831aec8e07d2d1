import { runTimes } from '../../../cli/demo/run-times.js';
import { aRun, at } from '../store/records.js';
import { aStepView, aView, clock, ranStep } from './run-views.js';

test('time of steps that ran at once counts once; the rest beside steps and decisions is our own', () => {
  const view = aView(
    [
      ranStep('validate', 2, 4),
      ranStep('train', 5, 9),
      ranStep('train#2', 6, 10),
      aStepView({ path: 'release', kind: 'approval', scheduledAt: at(11), closedAt: at(18) }),
    ],
    { run: aRun({ status: 'completed', closedAt: at(20) }) },
  );
  expect(runTimes(view, clock(0))).toEqual({
    totalMs: 20_000,
    stepsMs: 7_000,
    decisionMs: 7_000,
    ownMs: 6_000,
  });
});

test('what is still open counts until now, what was before the beginning does not count', () => {
  const view = aView([ranStep('validate', 1, 5), ranStep('train', 10)], { at: at(12) });
  expect(runTimes(view, clock(4))).toEqual({ totalMs: 8_000, stepsMs: 3_000, decisionMs: 0, ownMs: 5_000 });
});
