import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { MillraceClient } from '../../../client/client.js';
import { uploadInputs } from '../../../cli/upload-inputs.js';
import type { ArtifactKind, ArtifactRef } from '../../../sdk/artifact.js';
import { dataset, directory, model } from '../../../sdk/artifact.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const schema = z.object({
  csv: dataset(),
  base: model().optional(),
  extra: z.array(directory()).default([]),
  seed: z.number().default(7),
});

/** A client that only remembers what was uploaded. */
function recorder() {
  const uploaded: { file: string; kind: ArtifactKind | undefined }[] = [];
  const upload = (file: string, options?: { kind?: ArtifactKind }) => {
    uploaded.push({ file, kind: options?.kind });
    return Promise.resolve({ $artifact: options?.kind, name: path.basename(file) } as ArtifactRef);
  };
  return { uploaded, client: { upload } as Pick<MillraceClient, 'upload'> };
}

async function files(...names: string[]): Promise<string[]> {
  const folder = await temporaryFolder();
  await Promise.all(names.map((name) => writeFile(path.join(folder, name), name)));
  return names.map((name) => path.join(folder, name));
}

test('a file is uploaded as the kind its field takes, seen through optional and default', async () => {
  const [csv, base] = (await files('a.csv', 'model.bin')) as [string, string];
  const { client, uploaded } = recorder();
  const input = await uploadInputs(
    { values: { seed: 3 }, files: { csv: [csv], base: [base] } },
    { schema, client },
  );
  expect(uploaded).toEqual([
    { file: csv, kind: 'dataset' },
    { file: base, kind: 'model' },
  ]);
  expect(input).toEqual({
    seed: 3,
    csv: { $artifact: 'dataset', name: 'a.csv' },
    base: { $artifact: 'model', name: 'model.bin' },
  });
});

test('a field that is an array of artifacts takes one file or several', async () => {
  const [one, two] = (await files('one', 'two')) as [string, string];
  const { client } = recorder();
  const input = await uploadInputs({ values: {}, files: { extra: [one, two] } }, { schema, client });
  expect(input).toEqual({
    extra: [
      { $artifact: 'directory', name: 'one' },
      { $artifact: 'directory', name: 'two' },
    ],
  });
});

test.each([
  ['a field that takes a value', { seed: ['FILE'] }, '`seed` takes a value, not a file'],
  [
    'a field that is not there',
    { cvs: ['FILE'] },
    'The pipeline has no input `cvs`. It takes: csv, base, extra, seed.',
  ],
  [
    'a field named like a part of every object',
    { constructor: ['FILE'] },
    'The pipeline has no input `constructor`',
  ],
  ['two files for one field', { csv: ['FILE', 'FILE'] }, '`csv` takes one file and was given 2'],
  [
    'a file that is not there',
    { csv: ['FILE'], base: ['/nowhere/x.bin'] },
    'The file for `base` is not there: /nowhere/x.bin',
  ],
])('%s is refused before anything is uploaded', async (_, given, says) => {
  const [file] = (await files('a')) as [string];
  const flags = Object.fromEntries(
    Object.entries(given).map(([key, paths]) => [key, paths.map((each) => (each === 'FILE' ? file : each))]),
  );
  const { client, uploaded } = recorder();
  await expect(uploadInputs({ values: {}, files: flags }, { schema, client })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: expect.stringContaining(says),
  });
  expect(uploaded).toEqual([]);
});

test('an input that is no object of known fields takes files as datasets', async () => {
  const [file] = (await files('a')) as [string];
  const { client, uploaded } = recorder();
  await uploadInputs(
    { values: {}, files: { any: [file] } },
    { schema: z.record(z.string(), z.unknown()), client },
  );
  expect(uploaded).toEqual([{ file, kind: 'dataset' }]);
});
