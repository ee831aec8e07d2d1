import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openBlobFolder } from '../../../store/blob-folder.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

it('stores many small files and some large ones together, each once, and leaves nothing behind', async () => {
  const root = await temporaryFolder();
  await mkdir(join(root, 'in'));
  const sources = Array.from({ length: 200 }, (_, index) => join(root, 'in', `${index}`));
  for (const [index, source] of sources.entries()) {
    writeFileSync(source, index % 50 === 7 ? Buffer.alloc(2_000_000 + index) : `${index % 90}`);
  }
  const blobs = await openBlobFolder(join(root, 'store'));
  const stored = await blobs.putFiles(sources);
  expect(stored.map(({ size }) => size)).toEqual(
    sources.map((_, index) => (index % 50 === 7 ? 2_000_000 + index : `${index % 90}`.length)),
  );
  for (const { digest } of stored) await blobs.verify(digest);
  expect(new Set(stored.map(({ digest }) => digest)).size).toBe(94);
  expect(readdirSync(join(root, 'store/v1/tmp'))).toEqual([]);
});

it('removes what it had begun when one of many cannot be stored', async () => {
  const root = await temporaryFolder();
  const blobs = await openBlobFolder(join(root, 'store'));
  writeFileSync(join(root, 'a'), 'a');
  await mkdir(join(root, 'folder'));
  await expect(blobs.putFiles([join(root, 'a'), join(root, 'folder')])).rejects.toMatchObject({
    code: 'UNSAFE_OUTPUT',
  });
  expect(readdirSync(join(root, 'store/v1/tmp'))).toEqual([]);
  expect(existsSync(join(root, 'store/v1/blobs/sha256/ca'))).toBe(false);
});
