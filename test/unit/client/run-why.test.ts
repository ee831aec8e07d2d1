import { runWhy } from '../../../client/run-why.js';
import type { Catalog } from '../../../store/catalog.js';
import { anAttempt, aRun, aStep, at } from '../store/records.js';
import { newCatalog } from './catalog.js';

/** `run-1` trains and then calls `score`, which trains too and calls `deep`, which has one step. */
async function family(): Promise<Catalog> {
  const catalog = await newCatalog();
  await catalog.insertRun(aRun({ startedAt: at(0) }));
  await catalog.insertRun(
    aRun({ id: 'run-1.score', pipeline: 'score', parent: { run: 'run-1', path: 'score' }, startedAt: at(4) }),
  );
  await catalog.insertRun(
    aRun({ id: 'run-1.score.deep', pipeline: 'deep', parent: { run: 'run-1.score', path: 'deep' }, startedAt: at(7) }),
  ); // prettier-ignore
  await catalog.project({
    steps: [
      aStep({ path: 'train', scheduledAt: at(1) }),
      aStep({ path: 'score', kind: 'pipeline', scheduledAt: at(3) }),
      aStep({ run: 'run-1.score', path: 'train', scheduledAt: at(5) }),
      aStep({ run: 'run-1.score', path: 'deep', kind: 'pipeline', scheduledAt: at(6) }),
      aStep({ run: 'run-1.score.deep', path: 'check', scheduledAt: at(8) }),
    ],
    attempts: [
      anAttempt({ startedAt: at(2) }),
      anAttempt({ run: 'run-1.score.deep', path: 'check', startedAt: at(9) }),
    ],
  });
  return catalog;
}

const told = async (step?: string) =>
  (await runWhy('run-1', { step, catalog: await family() })).map(({ path, kind }) => `${path}: ${kind}`);

test('of a run and all below it there is one timeline, each at its place', async () => {
  expect(await told()).toEqual([
    ': started',
    'train: called',
    'train: attempt',
    'score: called',
    'score: started',
    'score/train: called',
    'score/deep: called',
    'score/deep: started',
    'score/deep/check: called',
    'score/deep/check: attempt',
  ]);
});

test('a step of a child run is asked for by its place, and told of with the runs it is in', async () => {
  expect(await told('train')).toEqual([': started', 'train: called', 'train: attempt']);
  expect(await told('score/train')).toEqual([
    ': started',
    'score: called',
    'score: started',
    'score/train: called',
  ]);
  expect((await told('score/deep/check')).slice(-2)).toEqual([
    'score/deep/check: called',
    'score/deep/check: attempt',
  ]);
});

test('of a child run as a step all of it is told', async () => {
  expect(await told('score')).toEqual((await told()).filter((line) => !line.startsWith('train')));
});

test.each([
  ['trian', 'Did you mean `train`?'],
  ['score/trian', 'Did you mean `score/train`?'],
  ['score/deep/chekc', 'Did you mean `score/deep/check`?'],
  ['nothing like it', 'Its steps: train, score, score/train, score/deep, score/deep/check.'],
])('a step that is not there, %s, is refused with what was meant', async (step, hint) => {
  await expect(told(step)).rejects.toMatchObject({
    code: 'UNKNOWN_STEP',
    message: expect.stringContaining(hint),
  });
});

test('a run that is not there is said to be none', async () => {
  const asked = runWhy('run-9', { step: undefined, catalog: await newCatalog() });
  await expect(asked).rejects.toMatchObject({ code: 'UNKNOWN_RUN' });
});

test('a run that was moved began on the build it began on', async () => {
  const catalog = await newCatalog();
  await catalog.insertRun(aRun({ build: 'third' }));
  const moved = (from: string, to: string, second: number) =>
    ({ run: 'run-1', path: '', at: at(second), attempt: 0, kind: 'moved', text: 'moved', data: { from, to } }); // prettier-ignore
  await catalog.project({ timeline: [moved('second', 'third', 5), moved('first', 'second', 3)] });
  expect((await runWhy('run-1', { step: undefined, catalog }))[0]).toMatchObject({
    kind: 'started',
    text: 'run of mortgage on build first',
  });
});

test('an attempt that was taken up began on the worker that began it, whoever had it last', async () => {
  const catalog = await newCatalog();
  await catalog.insertRun(aRun());
  const taken = (from: string, by: string, second: number) =>
    ({ run: 'run-1', path: 'train', at: at(second), attempt: 1, kind: 'adopted', text: 'adopted', data: { from, by } }); // prettier-ignore
  await catalog.project({
    steps: [aStep()],
    attempts: [anAttempt({ worker: 'third:3', startedAt: at(2) })],
    timeline: [taken('second:2', 'third:3', 5), taken('first:1', 'second:2', 4)],
  });
  const why = await runWhy('run-1', { step: 'train', catalog });
  expect(why.find(({ kind }) => kind === 'attempt')?.text).toContain('on first:1');
});

test('nothing of a run is told before its start, though the clocks that wrote it were a little off', async () => {
  const catalog = await newCatalog();
  await catalog.insertRun(aRun({ startedAt: at(3) }));
  await catalog.project({
    steps: [aStep({ scheduledAt: at(2) })],
    attempts: [anAttempt({ startedAt: at(1) })],
  });
  const why = await runWhy('run-1', { step: undefined, catalog });
  expect(why.map(({ kind, at: when }) => [kind, when])).toEqual([
    ['started', at(3)],
    ['called', at(3)],
    ['attempt', at(3)],
  ]);
});
