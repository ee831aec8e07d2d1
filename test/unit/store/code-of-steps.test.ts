import type { Catalog, StepRecord } from '../../../store/catalog.js';
import { codeOfSteps } from '../../../store/code-of-steps.js';
import { newCatalog } from '../client/catalog.js';
import { aBuild, anAttempt, aRun, aStep, at, digest } from './records.js';

const spec = (digit: string) => [{ name: 'train', source: { digest: digest(digit) } }] as never;
const done = { status: 'completed', closedAt: at(9) } as const;

describe('the code that the steps of a run ran', () => {
  let catalog: Catalog;
  beforeEach(async () => {
    catalog = await newCatalog();
    await catalog.publishBuild(aBuild({ id: 'old', steps: spec('a') }));
    await catalog.publishBuild(aBuild({ id: 'new', steps: spec('b') }));
    await catalog.insertRun(aRun({ build: 'old' }));
  });
  const move = async (run = 'run-1') => {
    const record = (await catalog.build('new'))!;
    await catalog.moves.begin(record, [{ run, home: 'old', build: 'new', at: at(5) }]);
    await catalog.updateRun({ id: run, build: 'new' });
  };
  const codes = async (run = 'run-1') => {
    const [steps, attempts] = await Promise.all([catalog.steps(run), catalog.attempts(run)]);
    const codeOf = await codeOfSteps((await catalog.run(run))!, { steps, attempts }, catalog);
    const shown = (step: StepRecord) => {
      const code = codeOf(step);
      return code && `${code.build} ${code.spec?.source?.digest.at(-1) ?? 'gone'}`;
    };
    return Object.fromEntries(steps.map((step) => [step.path, shown(step)]));
  };

  test('is that of the run, also of attempts from before it was noted and of results from the cache', async () => {
    await catalog.project({
      steps: [aStep(done), aStep({ path: 'train#2', ...done, cached: { run: 'run-0', path: 'train' } })],
      attempts: [anAttempt(done)],
    });
    expect(await codes()).toEqual({ train: 'old a', 'train#2': 'old a' });
  });

  test('is that of the attempt that made the result, once the run was moved', async () => {
    await catalog.project({
      steps: ['train', 'train#2', 'train#3', 'train#4', 'train#5'].map((path) => aStep({ path, ...done })),
      attempts: [
        anAttempt({ ...done, build: 'old' }),
        anAttempt({ path: 'train#2', status: 'failed', build: 'old' }),
        anAttempt({ path: 'train#2', attempt: 2, ...done, startedAt: at(6), build: 'new' }),
        anAttempt({ path: 'train#3', ...done }),
        anAttempt({ path: 'train#4', ...done, build: 'forgotten' }),
      ],
    });
    await move();
    expect(await codes()).toEqual({
      train: 'old a',
      'train#2': 'new b',
      // Nobody noted it, and nobody made an attempt.
      'train#3': undefined,
      'train#4': 'forgotten gone',
      'train#5': undefined,
    });
  });

  test('is of a result that was taken over that of its maker, which may have been moved itself', async () => {
    for (const id of ['run-2', 'run-3', 'run-4']) {
      await catalog.insertRun(aRun({ id, build: 'old' }));
      await catalog.project({ steps: [aStep({ run: id, ...done })] });
    }
    await catalog.project({
      attempts: [
        anAttempt({ run: 'run-2', ...done }),
        anAttempt({ run: 'run-3', ...done }),
        anAttempt({ run: 'run-4', ...done, build: 'old' }),
      ],
      steps: ['run-2', 'run-3', 'run-4', 'run-9'].map((run) =>
        aStep({ path: `train#${run.at(-1)}`, ...done, reused: { run, path: 'train' } }),
      ),
    });
    for (const run of ['run-1', 'run-3', 'run-4']) await move(run);
    expect(await codes()).toEqual({
      'train#2': 'old a',
      'train#3': undefined,
      'train#4': 'old a',
      'train#9': undefined,
    });
  });
});
