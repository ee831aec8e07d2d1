import { runEvents } from '../../../cli/render/run-events.js';
import { formatClock } from '../../../cli/render/format.js';
import { aMetric, aRun, anApproval, anAttempt, at } from '../store/records.js';
import { aStepView, aView, ranStep } from './run-views.js';

// Lines show the reader's own time zone.
const t = (second: number) => formatClock(at(second));
const queued = aStepView({ path: 'train', status: 'queued', detail: 'waits for a worker' });

test('the first view tells all that is known', () => {
  expect(runEvents(undefined, aView([ranStep('validate', 1, 2), queued]))).toEqual([
    `${t(0)} run-1 started`,
    `${t(2)} validate completed 1.0s`,
    `${t(60)} train queued: waits for a worker`,
  ]);
});

test('later ones tell what changed: states, attempts and what a step waits for', () => {
  const done = ranStep('train', 3, 6, { metrics: [aMetric({ name: 'auc', value: 0.81 })] });
  const views = [
    aView([queued]),
    aView([{ ...queued, detail: 'needs 2 cpus' }]),
    aView([ranStep('train', 3)]),
    aView([ranStep('train', 3, undefined, { detail: 'epoch 1', progress: 0.1, metrics: [aMetric()] })]),
    aView([
      aStepView({ attempts: [anAttempt({ attempt: 2, startedAt: at(4) }), anAttempt({ status: 'failed' })] }),
    ]),
    aView([done]),
    aView([done], { run: aRun({ status: 'completed', closedAt: at(7) }) }),
  ];
  expect(views.flatMap((view, index) => (index === 0 ? [] : runEvents(views[index - 1], view)))).toEqual([
    `${t(60)} train queued: needs 2 cpus`,
    `${t(3)} train running`,
    `${t(4)} train running attempt 2`,
    `${t(6)} train completed 3.0s auc=0.81`,
    `${t(7)} run-1 completed 7.0s`,
  ]);
});

test('a view that changed nothing tells nothing', () => {
  const view = aView([queued]);
  expect(runEvents(view, { ...view, at: at(61) })).toEqual([]);
});

test('a warning of the plan is told once', () => {
  const warned = aView([], {
    run: aRun({ plan: { executor: 'process', images: {}, warning: 'No engine.' } }),
  });
  expect(runEvents(aView([]), warned)).toEqual([`${t(60)} warning: No engine.`]);
  expect(runEvents(warned, warned)).toEqual([]);
});

test('an approval is told with the command that answers it', () => {
  const view = aView([aStepView({ path: 'release', kind: 'approval', status: 'waiting' })], {
    approvals: [anApproval()],
  });
  expect(runEvents(aView([]), view)).toEqual([
    `${t(60)} release approval waiting for a decision millrace approve run-1 release`,
  ]);
});

test("a child run's steps are told by the path they hang under", () => {
  const child = aView([ranStep('fit', 3, 4)], {
    run: aRun({ id: 'run-1.sweep', parent: { run: 'run-1', path: 'sweep' } }),
  });
  const parent = aStepView({ path: 'sweep', kind: 'pipeline' });
  expect(runEvents(aView([parent]), aView([{ ...parent, child }]))).toEqual([
    `${t(4)} sweep/fit completed 1.0s`,
  ]);
});

test('what was cancelled or lost says so first, and once', () => {
  const cancelled = ranStep('fit', 1, 3, {
    status: 'cancelled',
    metrics: [aMetric({ name: 'loss', value: 0.5 })],
  });
  expect(runEvents(aView([]), aView([cancelled, ranStep('test', 2, 3, { status: 'lost' })]))).toEqual([
    `${t(3)} fit cancelled 2.0s loss=0.5`,
    `${t(3)} test lost 1.0s`,
  ]);
});

test('a pause, its end and a cancellation are told once', () => {
  const failure = { code: 'RUN_CANCELLED', what: 'The run was cancelled by bob.' };
  const views = [
    aView([]),
    aView([], { run: aRun({ paused: { by: 'ada', at: at(5) } }) }),
    aView([], { run: aRun({ paused: { by: 'ada', at: at(5) } }) }),
    aView([]),
    aView([], { run: aRun({ failure }) }),
    aView([], { run: aRun({ failure }), at: at(61) }),
  ];
  expect(views.flatMap((view, index) => (index === 0 ? [] : runEvents(views[index - 1], view)))).toEqual([
    `${t(5)} run-1 paused by ada`,
    `${t(60)} run-1 resumed`,
    `${t(60)} run-1 is being cancelled: The run was cancelled by bob.`,
  ]);
});
