import { readView } from '../../../client/read-view.js';
import { UnknownRun } from '../../../sdk/errors.js';
import { aMetric, anApproval, anAttempt, aRun, aStep, at, aVersion, digest } from '../store/records.js';
import { newCatalog } from './catalog.js';

test('a run is shown with its steps, their attempts and last metrics, and what was decided', async () => {
  const catalog = await newCatalog();
  await catalog.insertRun(aRun());
  await catalog.project({
    steps: [aStep({ path: 'a', scheduledAt: at(1) }), aStep({ path: 'b', scheduledAt: at(2) })],
    attempts: [1, 2, 3].map((attempt) => anAttempt({ path: 'a', attempt })),
    metrics: [
      aMetric({ path: 'a', name: 'loss', value: 3, at: at(3) }),
      aMetric({ path: 'a', name: 'auc', value: 0.5, at: at(4) }),
      aMetric({ path: 'a', name: 'loss', value: 2, at: at(5) }),
      aMetric({ path: 'b', name: 'loss', value: 9, at: at(6) }),
    ],
  });
  const checks = { auc: { value: 0.8, comparison: '>=', bound: 0.7, outcome: 'pass' } } as const;
  await catalog.recordGate({
    run: 'run-1',
    path: 'quality',
    outcome: { gate: 'quality', outcome: 'pass', checks },
    evidence: null,
    at: at(7),
  });
  await catalog.openApproval(anApproval());
  await catalog.registerVersion(aVersion({ run: 'run-0' }));
  await catalog.registerVersion(aVersion());

  const view = await readView('run-1', catalog);
  expect(view.run).toEqual(aRun());
  expect(view.steps.map(({ path }) => path)).toEqual(['a', 'b']);
  expect(view.steps[0]!.attempts.map(({ attempt }) => attempt)).toEqual([3, 2, 1]);
  expect(view.steps[0]!.metrics.map(({ name, value }) => `${name} ${value}`)).toEqual(['loss 2', 'auc 0.5']);
  expect(view.steps[1]).toMatchObject({ attempts: [], metrics: [{ value: 9 }] });
  expect(view.gates).toMatchObject([{ path: 'quality', outcome: { outcome: 'pass', checks } }]);
  expect(view.approvals).toMatchObject([{ gate: 'release', status: 'open' }]);
  expect(view.versions).toMatchObject([{ version: 2, run: 'run-1' }]);
  expect(Date.now() - Date.parse(view.at)).toBeLessThan(60_000);
});

test('a step is shown with its stored checkpoints, until it has its result', async () => {
  const catalog = await newCatalog();
  await catalog.insertRun(aRun());
  await catalog.project({ steps: [aStep({ path: 'a' }), aStep({ path: 'b' })] });
  for (const digit of ['a', 'b', 'c'])
    await catalog.checkpoints.add({ run: 'run-1', path: 'a', attempt: 1, digest: digest(digit), size: 9, at: at(3) });
  const shown = async () => {
    const { steps } = await readView('run-1', catalog);
    return steps.map(({ checkpoints }) => checkpoints?.map(({ sequence }) => sequence));
  };
  expect(await shown()).toEqual([[3, 2], undefined]);
  await catalog.project({ steps: [aStep({ path: 'a', status: 'completed', closedAt: at(9) })] });
  expect(await shown()).toEqual([undefined, undefined]);
}); // prettier-ignore

test('runs that a run started are shown below the step that did, however deep', async () => {
  const catalog = await newCatalog();
  const child = (id: string, run: string, path: string) =>
    aRun({ id, pipeline: path, parent: { run, path } });
  await catalog.insertRun(aRun());
  await catalog.insertRun(child('run-1.child', 'run-1', 'child'));
  await catalog.insertRun(child('run-1.child#2', 'run-1', 'child#2'));
  await catalog.insertRun(child('run-1.child.deep', 'run-1.child', 'deep'));
  await catalog.project({
    steps: [
      aStep({ path: 'child', kind: 'pipeline', scheduledAt: at(1) }),
      aStep({ path: 'child#2', kind: 'pipeline', scheduledAt: at(2) }),
      aStep({ path: 'train', scheduledAt: at(3) }),
      aStep({ run: 'run-1.child', path: 'deep', kind: 'pipeline' }),
    ],
  });
  const { steps } = await readView('run-1', catalog);
  expect(steps.map(({ child: each }) => each?.run.id)).toEqual(['run-1.child', 'run-1.child#2', undefined]);
  expect(steps[0]!.child!.steps[0]!.child!.run.id).toBe('run-1.child.deep');
});

test('a run that is not there is said to be none', async () => {
  const reading = readView('run-9', await newCatalog());
  await expect(reading).rejects.toThrow(UnknownRun);
  await expect(reading).rejects.toThrow('There is no run `run-9`. See `millrace runs`.');
});
