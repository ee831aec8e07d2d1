import { writeFile, rm, chmod } from 'node:fs/promises';
import path from 'node:path';
import type { Payload } from '@temporalio/common';
import { ExternalStorageRunner } from '@temporalio/common/lib/internal-non-workflow/external-storage-runner.js';
import { valueStorage } from '../../../client/value-storage.js';
import { isMillraceError } from '../../../sdk/errors.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const payload = (text: string): Payload => ({
  metadata: { encoding: Buffer.from('json/plain'), kind: Buffer.from([0, 255]) },
  data: Buffer.from(text),
});
const target = { kind: 'workflow', namespace: 'default', id: 'run-1' } as const;

async function storage(failure?: (error: unknown) => unknown) {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${folder}`);
  const catalog = await openCatalog(`sqlite:${folder}/catalog.db`);
  const runner = new ExternalStorageRunner(valueStorage({ store, catalog, ...(failure && { failure }) }));
  const blobs = async () => {
    const found = [];
    for await (const blob of store.blobs()) found.push(blob);
    return found;
  };
  const blobFile = (digest: string) =>
    path.join(folder, 'v1/blobs/sha256', digest.slice(7, 9), digest.slice(9));
  return { store, catalog, runner, blobs, blobFile };
}

test('small payloads pass as they are, and nothing is written', async () => {
  const { runner, blobs } = await storage();
  const small = [payload('1'), payload('x'.repeat(127 * 1024))];
  expect(await runner.store(small, { target })).toEqual(small);
  expect(await blobs()).toEqual([]);
});

test('a large one is stored under its digest, held for its run, and comes back with its metadata', async () => {
  const { runner, blobs, catalog } = await storage();
  const large = payload('ä'.repeat(100_000));
  const [reference] = await runner.store([large], { target });
  expect(reference?.data?.length).toBeLessThan(400);
  const [blob] = await blobs();
  expect(blob?.size).toBe(200_000);
  expect([...(await catalog.garbage.namedByRuns(['run-1'])).keys()]).toEqual([blob?.digest]);
  const [back] = await runner.retrieve([reference!]);
  expect(Buffer.from(back!.data!)).toEqual(large.data);
  expect(Buffer.from(back!.metadata!['kind']!)).toEqual(Buffer.from([0, 255]));
  expect(Buffer.from(back!.metadata!['encoding']!).toString()).toBe('json/plain');
});

test.each([
  ['ARTIFACT_MISSING', (file: string) => rm(file)],
  [
    'ARTIFACT_CORRUPT',
    async (file: string) => (await chmod(file, 0o644), writeFile(file, 'y'.repeat(200_000))),
  ],
])(
  'a value that is gone or changed is %s, as the place where it is needed says errors',
  async (code, harm) => {
    const { runner, blobs, blobFile } = await storage((error) =>
      isMillraceError(error)
        ? new Error(`told as ${error.code} of ${String(error.fields['digest'])}`)
        : error,
    );
    const stored = await runner.store([payload('x'.repeat(200_000))], { target });
    const [blob] = await blobs();
    await harm(blobFile(blob!.digest));
    await expect(runner.retrieve(stored)).rejects.toThrow(`told as ${code} of ${blob!.digest}`);
  },
);
