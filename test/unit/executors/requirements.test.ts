import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readRequirements } from '../../../activities/executors/requirements.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

async function sourceOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
  return folder;
}

const digestOf = async (files: Readonly<Record<string, string>>) =>
  (await readRequirements(await sourceOf(files)))?.digest;

describe('the dependency lock of a source', () => {
  test('is nothing where there is no requirements.txt', async () => {
    expect(await readRequirements(await sourceOf({ 'train.py': '' }))).toBeUndefined();
  });

  test('covers the files it refers to, and nothing else', async () => {
    const files = {
      'requirements.txt': '-r more/base.txt\n-c limits.txt # comment\nsix==1.17.0\n',
      'more/base.txt': '-r deeper.txt\n',
      'more/deeper.txt': 'attrs==25.1.0\n',
      'limits.txt': 'six<2\n',
      'train.py': 'print(1)',
    };
    const found = await readRequirements(await sourceOf(files));
    expect(found?.files.map((file) => file.path)).toEqual([
      'limits.txt',
      'more/base.txt',
      'more/deeper.txt',
      'requirements.txt',
    ]);
    expect(await digestOf({ ...files, 'train.py': 'print(2)' })).toBe(found?.digest);
    expect(await digestOf({ ...files, 'more/deeper.txt': 'attrs==25.2.0\n' })).not.toBe(found?.digest);
  });

  test('reads files that refer to each other once, and none outside the source', async () => {
    const files = {
      'requirements.txt': '-r other.txt\n-r ../outside.txt\n',
      'other.txt': '-r requirements.txt\n',
    };
    const found = await readRequirements(await sourceOf(files));
    expect(found?.files.map((file) => file.path)).toEqual(['other.txt', 'requirements.txt']);
  });

  test('refuses local paths, which it could not cover', async () => {
    for (const line of ['./own', '-e .', '--editable=lib', '../own']) {
      const read = readRequirements(await sourceOf({ 'requirements.txt': `six\n${line}\n` }));
      await expect(read).rejects.toMatchObject({ code: 'DEPENDENCIES_FAILED' });
    }
  });
});
