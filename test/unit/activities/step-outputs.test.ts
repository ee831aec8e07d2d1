import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { checkedOutput, digestsOf, readValues, storeArtifacts } from '../../../activities/step-outputs.js';
import { dataset, model, report } from '../../../sdk/artifact.js';
import type { ArtifactRef } from '../../../sdk/artifact.js';
import { StepOutputInvalid, StepOutputMissing } from '../../../sdk/errors.js';
import { STEP, step } from '../../../sdk/step.js';
import type { ArtifactStore } from '../../../store/artifact-store.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { storedSpec } from '../../support/stored-spec.js';

const definition = step({
  name: 'train',
  command: ['train', '{out.model}', '{out.auc}', '{out.notes}', '{out.plot.png}'],
  input: z.object({}),
  output: z.object({
    model: model(),
    'plot.png': report().optional(),
    auc: z.number(),
    notes: z.string().optional(),
    unnamed: z.number().optional(),
  }),
})[STEP];
const spec = storedSpec(definition.spec);
const ref: ArtifactRef<'model'> = {
  $artifact: 'model',
  digest: `sha256:${'a'.repeat(64)}`,
  type: 'file',
  size: 1,
  name: 'model',
};
const { signal } = new AbortController();
let store: ArtifactStore;
beforeAll(async () => {
  store = await openArtifactStore(`file:${await temporaryFolder()}/artifacts`);
});

/** A step's folder with these files in it. */
async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(path.join(folder, 'out'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  return folder;
}

describe('values', () => {
  it.each([
    ['come from output.json', { 'output.json': '{"auc":0.8,"notes":"x"}' }, { auc: 0.8, notes: 'x' }],
    [
      'come from files that the command names',
      { 'out/auc': '0.8\n', 'out/notes': 'all is well\n' },
      { auc: 0.8, notes: 'all is well' },
    ],
    ['of output.json go before files', { 'output.json': '{"auc":0.8}', 'out/auc': '0.7' }, { auc: 0.8 }],
    ['are not taken from files the command does not name', { 'out/unnamed': '3' }, {}],
    ['are text where the schema takes text', { 'out/notes': '1.10\n' }, { notes: '1.10' }],
    ['are none without any file', {}, {}],
    ['are none in an empty output.json', { 'output.json': ' \n' }, {}],
    ['may be objects in files', { 'out/auc': '{"a":[1]}' }, { auc: { a: [1] } }],
  ])('%s', async (_, files: Readonly<Record<string, string>>, expected) => {
    expect(await readValues({ spec, output: definition.output }, await folderWith(files))).toEqual(expected);
  });

  it.each(['[1]', '3', 'null', '"text"', '{"auc":', 'auc=0.8'])(
    'are refused when output.json is no object: %s',
    async (text) => {
      const reading = readValues(
        { spec, output: definition.output },
        await folderWith({ 'output.json': text }),
      );
      await expect(reading).rejects.toThrow(StepOutputInvalid);
      await expect(reading).rejects.toThrow('Step `train` wrote an output.json that is no JSON object.');
      await expect(reading).rejects.toThrow('Write one object with a field per value output.');
    },
  );
});

describe('artifacts', () => {
  it('are stored by content under their name and kind, files with a dot in their name and folders too', async () => {
    const folder = await folderWith({
      'out/model/weights.bin': 'w',
      'out/model/deep/x': 'y',
      'out/plot.png': 'png',
      'out/other': 'ignored',
    });
    const stored = await storeArtifacts({ spec, folder, values: {}, store, signal });
    expect(stored).toMatchObject({
      model: { $artifact: 'model', type: 'tree', size: 2, name: 'model' },
      'plot.png': { $artifact: 'report', type: 'file', size: 3, name: 'plot.png' },
    });
    expect(Object.keys(stored)).toEqual(['model', 'plot.png']);
    expect(await store.has(stored['model']!)).toBe(true);
  });

  it('that are optional may be missing; one that is not is named', async () => {
    const storing = storeArtifacts({
      spec,
      folder: await folderWith({ 'out/plot.png': 'x' }),
      values: {},
      store,
      signal,
    });
    await expect(storing).rejects.toThrow(StepOutputMissing);
    await expect(storing).rejects.toThrow(
      'Step `train` ended without its output `model`: nothing is at out/model.',
    );
    await expect(storing).rejects.toMatchObject({ fields: { output: 'model' } });
    const folder = await folderWith({ 'out/model': 'x' });
    expect(Object.keys(await storeArtifacts({ spec, folder, values: {}, store, signal }))).toEqual(['model']);
  });

  it('may lie where the function says, and a reference that is handed on is not stored again', async () => {
    const folder = await folderWith({ 'elsewhere.bin': 'x' });
    const given: ArtifactRef = { ...ref, $artifact: 'report', name: 'given' };
    const moved = { model: path.join(folder, 'elsewhere.bin') };
    const stored = await storeArtifacts({
      spec,
      folder,
      values: { 'plot.png': given },
      moved,
      store,
      signal,
      given: new Set([given.digest]),
    });
    expect(stored).toMatchObject({ model: { size: 1, name: 'model' } });
    expect(Object.keys(stored)).toEqual(['model']);
  });

  it('may not be handed on by a reference that is none of the input', async () => {
    const storing = storeArtifacts({
      spec,
      folder: await folderWith({ 'out/model': 'x' }),
      values: { 'plot.png': { ...ref, $artifact: 'report' } },
      store,
      signal,
      given: digestsOf({ table: { ...ref, digest: `sha256:${'b'.repeat(64)}` } }),
    });
    await expect(storing).rejects.toThrow(StepOutputInvalid);
    await expect(storing).rejects.toThrow(
      `Step \`train\` named as output \`plot.png\` an artifact that is not of its input: ${ref.digest}.`,
    );
    await expect(storing).rejects.toMatchObject({ fields: { output: 'plot.png' } });
  });
});

describe('the output as a whole', () => {
  it('may name artifacts in its values only if they are of the input', () => {
    const several = step({
      name: 'pick',
      command: ['pick'],
      input: z.object({ models: z.array(model()) }),
      output: z.object({ best: z.array(model()), facts: z.record(z.string(), z.unknown()) }),
    })[STEP];
    const given = digestsOf({ models: [ref] });
    const forged = { ...ref, digest: `sha256:${'f'.repeat(64)}` };
    expect(checkedOutput(several, { best: [ref], facts: {} }, given)).toEqual({ best: [ref], facts: {} });
    expect(() => checkedOutput(several, { best: [ref, forged], facts: {} }, given)).toThrow(
      `Step \`pick\` named as output \`best\` an artifact that is not of its input: ${forged.digest}.`,
    );
    expect(() => checkedOutput(several, { best: [], facts: { deep: [{ forged }] } }, given)).toThrow(
      StepOutputInvalid,
    );
    expect(() => checkedOutput(several, { best: [ref], facts: {} })).toThrow(StepOutputInvalid);
  });

  it('is what the schema makes of it', () => {
    expect(checkedOutput(definition, { model: ref, auc: 0.8, extra: true })).toEqual({
      model: ref,
      auc: 0.8,
    });
  });

  it('is refused with every wrong field named', () => {
    const check = () => checkedOutput(definition, { model: { ...ref, $artifact: 'dataset' }, auc: '0.8' });
    expect(check).toThrow(StepOutputInvalid);
    expect(check).toThrow(
      /^The output of step `train` breaks its schema: `model\.\$artifact`: .*; `auc`: Invalid input: expected number, received string\./,
    );
  });

  it('is refused when a dataset stands where a model should', () => {
    expect(dataset().safeParse(ref).success).toBe(false);
    expect(() => checkedOutput(definition, { auc: 0.8 })).toThrow('`model`: ');
  });
});
