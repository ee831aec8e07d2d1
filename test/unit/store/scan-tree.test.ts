import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scanPath } from '../../../store/scan-tree.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'sub'));
  await Promise.all(['a', 'b', 'sub/c'].map((name) => writeFile(join(folder, name), name)));
});

it('takes as many entries as a tree may have, folders counted', async () => {
  expect(await scanPath(folder, { most: 4 })).toMatchObject({ type: 'tree', files: { length: 3 } });
});

it('refuses one more, naming it, before anything is stored', async () => {
  await expect(scanPath(folder, { most: 3 })).rejects.toMatchObject({
    code: 'UNSAFE_OUTPUT',
    message: expect.stringContaining('the entry after 3 others'),
  });
});

it('refuses links that multiply without an end', async () => {
  let names = folder;
  for (let depth = 0; depth < 12; depth += 1) {
    const deeper = join(names, 'n');
    await mkdir(deeper);
    for (const name of ['x', 'y', 'z']) await symlink('n', join(names, name));
    names = deeper;
  }
  await expect(scanPath(folder, { most: 10_000 })).rejects.toMatchObject({ code: 'UNSAFE_OUTPUT' });
});

it('lets the event loop go on while it looks at many', async () => {
  await Promise.all(Array.from({ length: 3_000 }, (_, index) => writeFile(join(folder, `${index}`), '')));
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  await scanPath(folder);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
});
