import { isStoredValue } from '../../../sdk/stored-value.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { restoreValue, valuesByReference } from '../../../store/values-by-reference.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aRef, aRun, aStep, aVersion, at, digest } from './records.js';

async function open() {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${folder}`);
  const bare = await openCatalog(`sqlite:${folder}/catalog.db`);
  return { store, bare, catalog: valuesByReference(bare, store) };
}

const large = { rows: 'x'.repeat(200_000), data: aRef({ digest: digest('d'), type: 'tree' }) };

test('small values stand in their rows, and nothing is stored', async () => {
  const { store, catalog } = await open();
  await catalog.insertRun(aRun());
  await catalog.project({ steps: [aStep({ input: { a: 1 }, output: 'b' })] });
  expect((await catalog.run('run-1'))?.input).toEqual({ minAuc: 0.75 });
  for await (const blob of store.blobs()) throw new Error(`stored ${blob.digest}`);
});

test('large ones are read as what stands for them, and restored when asked', async () => {
  const { store, catalog } = await open();
  await catalog.insertRun(aRun({ input: large }));
  await catalog.updateRun({ id: 'run-1', output: 'é'.repeat(100_000) });
  await catalog.project({ steps: [aStep({ input: large }), aStep({ path: 'b', output: large })] });
  await catalog.recordGate({
    run: 'run-1',
    path: 'g',
    outcome: { gate: 'g', outcome: 'pass', checks: {} },
    evidence: large,
    at: at(1),
  });
  await catalog.openApproval({
    run: 'run-1',
    path: 'a',
    gate: 'a',
    evidence: large,
    openedAt: at(1),
    status: 'open',
  });
  const version = await catalog.registerVersion({ ...aVersion(), evidence: large });
  const run = await catalog.run('run-1');
  const steps = new Map((await catalog.steps('run-1')).map((step) => [step.path, step]));
  const values = [
    run?.input, steps.get('train')?.input, steps.get('b')?.output, version.evidence,
    (await catalog.gates('run-1'))[0]?.evidence, (await catalog.approvals({ run: 'run-1' }))[0]?.evidence,
  ]; // prettier-ignore
  for (const value of values) {
    expect(value).toEqual({ $value: expect.stringMatching(/^sha256:/), size: expect.any(Number) });
    expect(await restoreValue(value, store)).toEqual(large);
  }
  expect(new Set(values.map((value) => JSON.stringify(value))).size).toBe(1);
  expect(await restoreValue(run?.output, store)).toBe('é'.repeat(100_000));
});

test('the run holds the value and the artifacts in it', async () => {
  const { catalog } = await open();
  await catalog.insertRun(aRun({ input: large }));
  const value = (await catalog.run('run-1'))?.input;
  if (!isStoredValue(value)) throw new Error('in the row');
  const named = await catalog.garbage.named();
  expect(named.get(value.$value)).toMatchObject({ type: 'file', reason: 'run' });
  expect(named.get(digest('d'))).toMatchObject({ type: 'tree', reason: 'run' });
});

test('one object given to two runs is held by both', async () => {
  const { catalog } = await open();
  await catalog.insertRun(aRun({ input: large }));
  await catalog.insertRun(aRun({ id: 'run-2', input: large }));
  expect(await catalog.garbage.namedByRuns(['run-2'])).toEqual(await catalog.garbage.namedByRuns(['run-1']));
  expect((await catalog.garbage.namedByRuns(['run-2'])).size).toBe(2);
});

test('a row that was read can be written back', async () => {
  const { catalog } = await open();
  await catalog.project({ steps: [aStep({ input: large })] });
  const [step] = await catalog.steps('run-1');
  await catalog.project({ steps: [{ ...step!, status: 'completed', closedAt: at(9) }] });
  expect((await catalog.steps('run-1'))[0]?.input).toEqual(step?.input);
});
