import { recordedStep } from '../../../debug/recorded-step.js';
import type { Catalog, RepairRecord } from '../../../store/catalog.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { valuesByReference } from '../../../store/values-by-reference.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { executionOf } from '../../support/execution.js';
import { aBuild, anAttempt, aRun, aStep, at, digest } from '../store/records.js';

const { spec } = executionOf({ name: 'train', image: 'busybox:latest' });
const planned = { reference: 'busybox:latest', id: digest('a') };

async function recorded(): Promise<{
  catalog: Catalog;
  find: typeof recordedStep;
  parts: Parameters<typeof recordedStep>[1];
}> {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${folder}/artifacts`);
  const catalog = valuesByReference(await openCatalog(`sqlite:${folder}/catalog.db`), store);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  await catalog.publishBuild(aBuild({ steps: [spec] }));
  await catalog.insertRun(aRun({ build: aBuild().id }));
  await catalog.updateRun({ id: 'run-1', plan: { executor: 'docker', images: { train: planned } } });
  return { catalog, find: recordedStep, parts: { catalog, store } };
}

const repaired = (data: RepairRecord) => ({
  run: 'run-1',
  path: 'train',
  at: data.at,
  attempt: 1,
  kind: 'repaired',
  text: 'repaired',
  data,
});

const choice = { run: 'run-1', step: 'train' };

test('an attempt is what its row says: memory after a retry, the image that it ran in', async () => {
  const { catalog, find, parts } = await recorded();
  const large = { n: 1, text: 'x'.repeat(200_000) };
  await catalog.project({
    steps: [aStep({ input: large })],
    attempts: [
      anAttempt({ attempt: 1, image: planned.id, resources: { ...spec.resources, memory: 1e9 } }),
      anAttempt({ attempt: 2, image: planned.id, resources: { ...spec.resources, memory: 2e9 } }),
    ],
  });
  const { task, attempt, notes } = await find(choice, parts);
  expect({ attempt, notes }).toEqual({ attempt: 2, notes: [] });
  expect(task).toMatchObject({
    executor: 'docker',
    image: planned,
    spec: { resources: { memory: 2e9 } },
    input: large,
  });
  expect((await find({ ...choice, attempt: 1 }, parts)).task.spec.resources.memory).toBe(1e9);
});

test('an attempt after a repair has what the repair gave it, one before it has not, and the lost input is owned up to', async () => {
  const { catalog, find, parts } = await recorded();
  await catalog.project({
    steps: [
      aStep({
        input: { n: 2 },
      }),
    ],
    timeline: [
      repaired({ do: 'retry', by: 'ada', at: at(3), source: digest('c') }),
      repaired({ do: 'retry', by: 'bob', at: at(5), image: 'busybox:1', input: ['n'] }),
    ],
    attempts: [
      anAttempt({ attempt: 1, startedAt: at(1), image: planned.id }),
      anAttempt({ attempt: 2, startedAt: at(6), image: digest('b') }),
    ],
  });
  const after = await find(choice, parts);
  expect(after.task).toMatchObject({
    spec: { source: { digest: digest('c'), type: 'tree' }, image: { reference: 'busybox:1' } },
    image: { id: digest('b') },
  });
  expect(after.notes).toEqual([]);
  const before = await find({ ...choice, attempt: 1 }, parts);
  expect(before.task.spec).toEqual(spec);
  expect(before.task.image).toEqual(planned);
  expect(before.notes).toEqual([expect.stringContaining('that of the repair that followed')]);
});

test('a step whose result came from the cache can be tried: as its plan would have it', async () => {
  const { catalog, find, parts } = await recorded();
  await catalog.project({
    steps: [aStep({ input: {}, status: 'completed', cached: { run: 'r', path: 'train' } })],
  });
  const { task, attempt } = await find({ ...choice, attempt: 1 }, parts);
  expect({ attempt, executor: task.executor, image: task.image }).toEqual({
    attempt: 1,
    executor: 'docker',
    image: planned,
  });
});

test('an attempt has the code that it ran, though it began after its run was moved; where that was not noted, by its time', async () => {
  const { catalog, find, parts } = await recorded();
  const next = aBuild({ id: 'next', steps: [{ ...spec, command: ['new'] }] });
  await catalog.moves.begin(next, [{ run: 'run-1', home: 'build-1', build: 'next', at: at(5) }]);
  await catalog.updateRun({ id: 'run-1', build: 'next' });
  const data = { from: 'build-1', to: 'next' };
  await catalog.project({
    timeline: [{ run: 'run-1', path: '', at: at(5), attempt: 0, kind: 'moved', text: 'moved', data }],
    steps: [aStep({ input: {} })],
    attempts: [
      anAttempt({ attempt: 1, startedAt: at(3), image: planned.id }),
      // It was scheduled before.
      anAttempt({ attempt: 2, startedAt: at(7), image: planned.id, build: 'build-1' }),
      anAttempt({ attempt: 3, startedAt: at(8), image: planned.id, build: 'next' }),
    ],
  });
  const found = await Promise.all([1, 2, 3].map((attempt) => find({ ...choice, attempt }, parts)));
  expect(found.map(({ task }) => [task.build, task.spec.command])).toEqual([
    ['build-1', spec.command],
    ['build-1', spec.command],
    ['next', ['new']],
  ]);
  expect(found.map(({ notes }) => notes)).toEqual([
    [expect.stringMatching(/is not recorded: .* build build-1, by the time/)],
    [],
    [],
  ]);
});

test('a step that nobody began, or whose build is gone, says so', async () => {
  const { catalog, find, parts } = await recorded();
  await catalog.project({ steps: [aStep({ status: 'queued' })] });
  await expect(find(choice, parts)).rejects.toMatchObject({
    code: 'UNKNOWN_STEP',
    message: expect.stringContaining('Nobody has begun'),
  });
  await catalog.insertRun(aRun({ id: 'run-2', build: 'gone' }));
  await catalog.project({ steps: [aStep({ run: 'run-2', input: {} })] });
  await expect(find({ ...choice, run: 'run-2' }, parts)).rejects.toMatchObject({
    message: expect.stringContaining('The build gone, which'),
  });
});
