import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ArtifactRef } from '../../../sdk/artifact.js';
import type { StepSpec } from '../../../sdk/step-spec.js';
import type { ArtifactStore } from '../../../store/artifact-store.js';
import type { Catalog } from '../../../store/catalog.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { readLargeCall, readRecordedRun } from '../../../store/read-recorded-run.js';
import { valuesByReference } from '../../../store/values-by-reference.js';
import { executionOf } from '../../support/execution.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { newCatalog } from '../client/catalog.js';
import { aBuild, anApproval, anAttempt, aRun, aStep, at, aVersion, digest } from './records.js';

describe('what a closed run left', () => {
  let catalog: Catalog;
  let store: ArtifactStore;
  let folder: string;
  const read = (run = 'run-1') => readRecordedRun(run, { catalog, store });
  const done = { status: 'completed', closedAt: at(9) } as const;
  beforeEach(async () => {
    folder = await temporaryFolder();
    store = await openArtifactStore(`file:${path.join(folder, 'artifacts')}`);
    catalog = valuesByReference(await newCatalog(), store);
    await catalog.publishBuild(aBuild());
    await catalog.insertRun(aRun());
  });
  const put = async (text: string): Promise<ArtifactRef> => {
    const file = path.join(folder, 'file');
    await writeFile(file, text);
    return { $artifact: 'model', name: 'model', ...(await store.put(file)) };
  };

  test('is each call with its input and result, and how those ended that have none', async () => {
    await catalog.project({
      steps: [
        aStep({ ...done, input: { n: 1 }, output: { auc: 0.8 } }),
        aStep({ path: 'train#2', status: 'failed', input: { n: 2 }, failure: { code: 'OUT_OF_MEMORY', what: 'x' } }),
        aStep({ path: 'train#3', status: 'cancelled', input: { n: 3 } }),
        aStep({ path: 'train#4', ...done, input: { n: 4 } }),
        aStep({ path: 'fetchData', name: 'fetchData', kind: 'fetch', ...done, detail: 'file:a', output: { $artifact: 'dataset' } }),
      ],
    }); // prettier-ignore
    const { calls } = await read();
    expect(calls.map(({ path: where, outcome, input, output, failure, unusable }) => ({ where, outcome, input, output, failure, unusable }))).toEqual([
      { where: 'fetchData', outcome: 'completed', input: { uri: 'file:a', kind: 'dataset' }, output: { $artifact: 'dataset' } },
      { where: 'train', outcome: 'completed', input: { n: 1 }, output: { auc: 0.8 } },
      { where: 'train#2', outcome: 'failed', input: { n: 2 }, failure: 'OUT_OF_MEMORY' },
      { where: 'train#3', outcome: 'unfinished', input: { n: 3 } },
      { where: 'train#4', outcome: 'completed', input: { n: 4 }, unusable: 'its result was not recorded' },
    ]); // prettier-ignore
  });

  test('is what it did to the registry, though its own rows of that were lost', async () => {
    const { run: _run, ...version } = aVersion({ path: 'register' });
    await catalog.registerVersion({ ...version, run: 'run-1' });
    await catalog.setAlias({
      run: 'run-1',
      path: 'promote',
      name: version.name,
      version: 1,
      alias: 'champion',
      at: at(3),
    });
    await catalog.openApproval(anApproval({ path: 'release', gate: 'release', status: 'open' }));
    await catalog.openApproval(anApproval({ path: 'late', gate: 'late', status: 'open' }));
    const decision = { gate: 'release', decision: 'rejected', by: 'ada', reason: 'no', at: at(4) } as const;
    await catalog.closeApproval({ run: 'run-1', path: 'release', status: 'rejected', decision });
    await catalog.project({
      steps: [
        aStep({ path: 'register', name: 'register', kind: 'register', status: 'cancelled' }),
        aStep({ path: 'promote', name: 'promote', kind: 'promote', status: 'cancelled' }),
        aStep({ path: 'release', name: 'release', kind: 'approval', status: 'failed' }),
        aStep({ path: 'late', name: 'late', kind: 'approval', status: 'cancelled' }),
        aStep({ path: 'register#2', name: 'register', kind: 'register', status: 'failed' }),
      ],
    });
    const { calls } = await read();
    const of = (where: string) => calls.find((each) => each.path === where);
    expect(of('register')).toMatchObject({
      outcome: 'completed',
      input: { name: version.name, model: version.model, metrics: version.metrics },
      output: { name: version.name, version: 1, model: version.model },
    });
    expect(of('promote')).toMatchObject({
      outcome: 'completed',
      input: { name: version.name, version: 1, alias: 'champion' },
      output: { version: 1, alias: 'champion' },
    });
    expect(of('release')).toMatchObject({ outcome: 'completed', output: decision });
    expect(of('late')).toMatchObject({ outcome: 'unfinished' });
    expect(of('register#2')).toMatchObject({ outcome: 'failed' });
  });

  test('is no result that a repair left out, or made from other code, also where a later repair says nothing of it', async () => {
    const by = { by: 'ada', at: at(2) };
    await catalog.project({
      steps: [
        aStep({ ...done, input: {}, output: { n: 1 }, repair: { ...by, do: 'supply' } }),
        aStep({ path: 'train#2', ...done, input: {}, output: {}, repair: { ...by, do: 'skip' } }),
        aStep({ path: 'train#3', ...done, input: {}, output: { n: 3 }, repair: { ...by, do: 'retry', memory: 1 } }),
        aStep({ path: 'train#4', ...done, input: {}, output: { n: 4 }, repair: { ...by, do: 'retry', memory: 1 } }),
      ],
      timeline: [
        { run: 'run-1', path: 'train#4', at: at(1), attempt: 1, kind: 'repaired', text: 'x', data: { source: digest('9') } },
        { run: 'run-1', path: 'train#4', at: at(2), attempt: 2, kind: 'repaired', text: 'x', data: { memory: 1 } },
      ],
    }); // prettier-ignore
    const { calls } = await read();
    expect(calls.map(({ unusable }) => unusable)).toEqual([
      undefined,
      'it was left out by ada',
      undefined,
      'a repair had it run from another source or in another image',
    ]);
  });

  test('names the content of a result that is gone', async () => {
    const [kept, lost] = [await put('kept'), await put('lost')];
    await catalog.project({
      steps: [
        aStep({ ...done, input: {}, output: { model: kept } }),
        aStep({
          path: 'train#2',
          ...done,
          input: {},
          output: { models: [kept, { ...lost, name: 'second' }] },
        }),
      ],
    });
    await store.remove(lost.digest, { untouchedSince: new Date(Date.now() + 60_000) });
    const { calls } = await read();
    expect(calls.map(({ gone }) => gone)).toEqual([undefined, 'second']);
  });

  test('keeps what is large out of the record, and gives it for one call', async () => {
    const text = 'x'.repeat(200_000);
    await catalog.project({ steps: [aStep({ ...done, input: { text }, output: { text } })] });
    const { calls } = await read();
    expect(calls[0]).toEqual({
      path: 'train',
      name: 'train',
      kind: 'step',
      outcome: 'completed',
      maker: { run: 'run-1', path: 'train' },
      large: true,
    });
    expect(await readLargeCall('run-1', 'train', { catalog, store })).toEqual({
      input: { text },
      output: { text },
    });
    // Without its content it is no result.
    await rm(path.join(folder, 'artifacts'), { recursive: true, force: true });
    expect((await read()).calls[0]).toMatchObject({ gone: 'its output' });
  });

  test('names as the maker who made it first', async () => {
    const reused = { run: 'run-0', path: 'train' };
    await catalog.project({ steps: [aStep({ ...done, input: {}, output: {}, reused })] });
    expect((await read()).calls[0]?.maker).toEqual(reused);
    expect((await catalog.steps('run-1'))[0]?.reused).toEqual(reused);
  });

  test('is of the code that each call ran, once the run was moved to other code', async () => {
    const { spec } = executionOf({ name: 'train', image: 'busybox:latest' });
    const of = (digit: string): readonly StepSpec[] =>
      ['train', 'score', 'other'].map((name) => ({ ...spec, name, command: [digit] }));
    await catalog.publishBuild(aBuild({ steps: of('old') }));
    const next = aBuild({ id: 'next', steps: of('new') });
    await catalog.moves.begin(next, [{ run: 'run-1', home: 'build-1', build: 'next', at: at(5) }]);
    await catalog.updateRun({ id: 'run-1', build: 'next' });
    await catalog.project({
      steps: [
        aStep({ ...done, input: {}, output: {} }),
        aStep({ path: 'train#2', ...done, input: {}, output: {} }),
        aStep({ path: 'train#3', ...done, input: {}, output: {} }),
        aStep({ path: 'score', name: 'score', ...done, input: {}, output: {} }),
      ],
      attempts: [
        anAttempt({ ...done, build: 'build-1' }),
        anAttempt({ path: 'train#2', ...done, build: 'next' }),
        anAttempt({ path: 'train#3', ...done }),
        anAttempt({ path: 'score', ...done, build: 'next' }),
      ],
    });
    const { works, calls } = await read();
    // Bundles of before look there: none rather than a wrong one.
    expect(works['train']).toBeUndefined();
    expect(works['other']?.command).toEqual(['new']);
    expect(
      Object.fromEntries(
        calls.map(({ path: where, name, workName, unusable }) => [
          where,
          unusable ?? works[workName ?? name]?.command,
        ]),
      ),
    ).toEqual({
      train: ['old'],
      'train#2': ['new'],
      'train#3': 'its run was moved to other code, and which code it ran is not recorded',
      score: ['new'],
    });
  });

  test('counts what its child runs called', async () => {
    await catalog.project({
      steps: [aStep({ path: 'inner', name: 'inner', kind: 'pipeline', ...done, input: { n: 1 } })],
    });
    await catalog.insertRun(aRun({ id: 'run-1.inner', parent: { run: 'run-1', path: 'inner' } }));
    await catalog.project({
      steps: [
        aStep({ run: 'run-1.inner', path: 'train#2' }),
        aStep({ run: 'run-1.inner', path: 'deep', name: 'deep', kind: 'pipeline' }),
      ],
    });
    await catalog.insertRun(aRun({ id: 'run-1.inner.deep', parent: { run: 'run-1.inner', path: 'deep' } }));
    await catalog.project({ steps: [aStep({ run: 'run-1.inner.deep', path: 'score', name: 'score' })] });
    const { child } = (await read()).calls[0]!;
    expect(child).toMatchObject({ run: 'run-1.inner', count: 2 });
    expect([...child!.calls].sort()).toEqual(['deep', 'deep/score', 'score', 'train', 'train#2']);
  });

  test('is asked of a run that there is', async () => {
    await expect(read('run-9')).rejects.toMatchObject({ code: 'UNKNOWN_RUN' });
  });
});
