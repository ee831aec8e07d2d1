import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { lastCheckpoint, writeCheckpoint } from '../../../sdk/node/whole-checkpoint.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const writing = (text: string) => async (folder: string) => {
  await mkdir(path.join(folder, 'deep'));
  await writeFile(path.join(folder, 'deep/epoch'), text);
};

test('a checkpoint takes the place of the last one as a whole', async () => {
  const place = await temporaryFolder();
  expect(lastCheckpoint(place)).toBeUndefined();
  for (const epoch of ['1', '2', '3']) await writeCheckpoint(place, 1, writing(epoch));
  expect(await readdir(place)).toEqual(['00000003']);
  expect(lastCheckpoint(place)).toBe(path.join(place, '00000003'));
  expect(await readFile(path.join(place, '00000003/deep/epoch'), 'utf8')).toBe('3');
});

test('one that could not be written leaves the last one as it was', async () => {
  const place = await temporaryFolder();
  await writeCheckpoint(place, 1, writing('1'));
  const failing = writeCheckpoint(place, 1, () => Promise.reject(new Error('no room')));
  await expect(failing).rejects.toThrow('no room');
  expect(await readdir(place)).toEqual(['00000001']);
});

test('what attempts that were killed had begun is cleared away, and nothing else', async () => {
  const place = await temporaryFolder();
  for (const name of ['.1-abc', '.2-abc', '.own', 'mine']) await mkdir(path.join(place, name));
  await writeCheckpoint(place, 2, writing('1'));
  expect((await readdir(place)).sort()).toEqual(['.2-abc', '.own', '00000001', 'mine']);
});
