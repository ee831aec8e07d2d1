import { liveContainers } from '../../../debug/replay/live-containers.js';
import type { StepSpec } from '../../../sdk/step-spec.js';
import type { AttemptRecord, StepRecord } from '../../../store/catalog.js';
import { executionOf } from '../../support/execution.js';
import { newCatalog } from '../client/catalog.js';
import { aBuild, anAttempt, aRun, aStep, at } from '../store/records.js';

const { spec } = executionOf({ name: 'train', image: 'busybox:latest' });
const changed: StepSpec = { ...spec, resources: { ...spec.resources, memory: 2 ** 31 } };

async function openRun(attempts: readonly AttemptRecord[] = [anAttempt()], step: StepRecord = aStep()) {
  const catalog = await newCatalog();
  await catalog.publishBuild(aBuild({ steps: [spec] }));
  await catalog.insertRun(aRun());
  await catalog.project({ steps: [step], attempts });
  const ask = async (next: StepSpec) =>
    liveContainers((await catalog.run('run-1'))!, { catalog, next: aBuild({ id: 'next', steps: [next] }) });
  return { catalog, ask };
}

test('a run stays while a step of it runs in a container that is another step in the new code', async () => {
  const { ask } = await openRun();
  expect(await ask(spec)).toBeUndefined();
  expect(await ask(changed)).toBe(
    'Step `train` runs in a container just now, and is another in the new code: it would begin anew.',
  );
  expect(await ask({ ...spec, name: 'other' })).toMatch(/^Step `train` runs/);
});

test.each<[string, readonly AttemptRecord[], StepRecord]>([
  ['has ended', [anAttempt({ status: 'completed' })], aStep({ status: 'completed', closedAt: at(5) })],
  ['has failed and is tried again', [anAttempt({ status: 'failed' })], aStep({ status: 'retrying' })],
  ['runs as a process', [anAttempt({ executor: 'process' })], aStep()],
  ['has not begun', [], aStep({ status: 'queued' })],
])('a step that %s holds nothing back', async (_, attempts, step) => {
  expect(await (await openRun(attempts, step)).ask(changed)).toBeUndefined();
});

test('a container whose worker fell silent counts, and one of a later attempt alone', async () => {
  const lost = anAttempt({ status: 'lost' });
  expect(await (await openRun([lost])).ask(changed)).toBeDefined();
  const later = anAttempt({ attempt: 2, status: 'failed', startedAt: at(5) });
  expect(await (await openRun([lost, later])).ask(changed)).toBeUndefined();
});

test('what counts is the code that the container was begun with; where nobody noted it, the run stays', async () => {
  const { catalog, ask } = await openRun([anAttempt({ build: 'build-1' })]);
  const moved = aBuild({ id: 'second', steps: [changed] });
  await catalog.moves.begin(moved, [{ run: 'run-1', home: 'build-1', build: 'second', at: at(5) }]);
  await catalog.updateRun({ id: 'run-1', build: 'second' });
  expect(await ask(spec)).toBeUndefined();
  expect(await ask(changed)).toBeDefined();
  const unknown = await openRun();
  await unknown.catalog.moves.begin(moved, [{ run: 'run-1', home: 'build-1', build: 'second', at: at(5) }]);
  expect(await unknown.ask(spec)).toBeDefined();
});
