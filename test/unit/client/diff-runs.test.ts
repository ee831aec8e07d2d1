import { diffRows } from '../../../cli/render/diff-rows.js';
import { rowText } from '../../../cli/render/styled-row.js';
import { diffRuns } from '../../../client/diff-runs.js';
import type { Catalog } from '../../../store/catalog.js';
import { call } from '../lineage/scenario.js';
import { aBuild, aMetric, anAttempt, aRef, aRun, at, digest } from '../store/records.js';
import { newCatalog } from './catalog.js';

const csv = aRef({ digest: digest('1'), name: 'hmda.csv' });
const spec = (digit: string) => [{ name: 'train', source: { digest: digest(digit) }, command: ['python', 'train.py'] }] as never; // prettier-ignore

describe('the difference of two runs', () => {
  let catalog: Catalog;
  beforeEach(async () => {
    catalog = await newCatalog();
    await catalog.publishBuild(aBuild({ steps: spec('a') }));
    await catalog.publishBuild(aBuild({ id: 'build-2', steps: spec('b') }));
    await catalog.insertRun(aRun({ input: { csv, minAuc: 0.75, model: { trees: 10 } } }));
    await call(catalog, { run: 'run-1', path: 'train', reads: [csv], makes: [aRef({ digest: digest('3'), name: 'model' })], parameters: { trees: 10 }, output: { auc: 0.8 } }); // prettier-ignore
    await catalog.project({ metrics: [aMetric({ value: 0.9, at: at(3) }), aMetric({ value: 0.5, index: 2, at: at(4) })] }); // prettier-ignore
    await catalog.updateRun({ id: 'run-1', status: 'completed' });
  });

  test('names input, code, image, parameters, metrics, results and artifacts, and nothing that is alike', async () => {
    const other = aRef({ digest: digest('2'), name: 'hmda.csv' });
    await catalog.insertRun(aRun({ id: 'run-2', build: 'build-2', input: { csv: other, minAuc: 0.75, model: { trees: 20 } } })); // prettier-ignore
    await call(catalog, { run: 'run-2', path: 'train', reads: [other], makes: [aRef({ digest: digest('4'), name: 'model' })], parameters: { trees: 20 }, output: { auc: 0.9 } }); // prettier-ignore
    await catalog.project({
      metrics: [aMetric({ run: 'run-2', value: 0.4 })],
      attempts: [anAttempt({ run: 'run-2', status: 'completed', image: digest('e'), startedAt: at(1), closedAt: at(61) })],
    }); // prettier-ignore
    await call(catalog, { run: 'run-2', path: 'evaluate' });
    const diff = await diffRuns('run-1', 'run-2', catalog);
    expect(diff).toMatchObject({
      same: false,
      run: [
        { what: 'build', a: 'build-1', b: 'build-2' },
        { what: 'status', a: 'completed', b: 'running' },
      ],
      input: [
        { what: 'csv', a: csv.digest, b: other.digest },
        { what: 'model.trees', a: 10, b: 20 },
      ],
      steps: [
        {
          path: 'train',
          code: [
            { what: 'source', a: digest('a'), b: digest('b') },
            { what: 'image', a: digest('d'), b: digest('e') },
          ],
          parameters: [{ what: 'trees', a: 10, b: 20 }],
          inputs: [{ what: 'hmda.csv', a: csv.digest, b: other.digest }],
          outputs: [{ what: 'model', a: digest('3'), b: digest('4') }],
          metrics: [{ what: 'loss', a: 0.5, b: 0.4 }],
          results: [{ what: 'auc', a: 0.8, b: 0.9 }],
          durationMs: { a: 1_000, b: 60_000 },
        },
        { path: 'evaluate', only: 'b', status: { b: 'completed' } },
      ],
    });
    const text = diffRows(diff).map(rowText);
    expect(text[0]).toMatch(/^a {2}run-1 {2}completed/);
    expect(text).toContainEqual(expect.stringMatching(/^train +code +source +sha256:aaaaaaaaaaaa +sha256:bbbbbbbbbbbb$/)); // prettier-ignore
    expect(text).toContainEqual(expect.stringMatching(/^train +time +1\.0s +1m 00s$/));
    expect(text).toContainEqual(expect.stringMatching(/^evaluate +step +only in b +– +completed$/));
    expect(text.at(-1)).toBe('What is not listed is the same in both.');
  });

  test('of the same work is none, whatever the order of keys and the time', async () => {
    // A step that the cache answered has no attempt that would name its image.
    const plan = { executor: 'docker', images: { train: { reference: 'python', id: digest('d') } } } as const;
    await catalog.insertRun(aRun({ id: 'run-3', plan, input: { minAuc: 0.75, csv, model: { trees: 10 } } }));
    await catalog.insertRun(aRun({ id: 'run-2', plan, input: { model: { trees: 10 }, minAuc: 0.75, csv } }));
    // This one failed: what it read stands in its input alone.
    await catalog.project({
      steps: [{ run: 'run-2', path: 'train', name: 'train', kind: 'step', status: 'failed', input: { trees: 10, 'hmda.csv': csv }, scheduledAt: at(50) }],
      attempts: [anAttempt({ run: 'run-2', status: 'failed', image: digest('d') })],
    }); // prettier-ignore
    await catalog.project({
      steps: [{ run: 'run-3', path: 'train', name: 'train', kind: 'step', status: 'completed', input: { trees: 10, 'hmda.csv': csv }, scheduledAt: at(50) }],
    }); // prettier-ignore
    expect((await diffRuns('run-2', 'run-3', catalog)).same).toBe(true);
    await catalog.updateRun({ id: 'run-1', plan });
    const diff = await diffRuns('run-1', 'run-2', catalog);
    expect(diff).toMatchObject({ same: true, input: [] });
    expect(diffRows(diff).map(rowText).at(-1)).toBe(
      'Build, input, code, images and parameters are the same.',
    );
  });

  test('is not that a run was moved: its steps are those of the code they ran', async () => {
    const moved = { run: 'run-1', home: 'build-1', build: 'build-2', at: at(2) };
    await catalog.moves.begin(aBuild({ id: 'build-2' }), [moved]);
    await catalog.project({ attempts: [anAttempt({ status: 'completed', build: 'build-1' })] });
    await catalog.updateRun({ id: 'run-1', build: 'build-2' });
    await catalog.insertRun(aRun({ id: 'run-2' }));
    await call(catalog, { run: 'run-2', path: 'train', parameters: { trees: 10 } });
    expect((await diffRuns('run-1', 'run-2', catalog)).steps[0]?.code).toEqual([]);
    await catalog.project({ attempts: [anAttempt({ status: 'completed', attempt: 2, build: 'build-2', image: digest('d') })] }); // prettier-ignore
    expect((await diffRuns('run-1', 'run-2', catalog)).steps[0]?.code).toMatchObject([
      { what: 'source', a: digest('b'), b: digest('a') },
    ]);
  });

  test('of a run that is not there says so', async () => {
    await expect(diffRuns('run-1', 'run-9', catalog)).rejects.toMatchObject({ code: 'UNKNOWN_RUN' });
  });
});
