import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { startScript } from './start-script.js';

const mebibyte = 2 ** 20;

describeWith({ mount: true }, 'A full disk under a store in a folder', () => {
  test.each([
    ['one large file', ['large'], 12 * mebibyte],
    ['many small files', Array.from({ length: 150 }, (_, index) => `${index}`), 80_000],
  ])('is said for %s, and with room again the same goes on', async (_, names, size) => {
    const folder = await temporaryFolder();
    const disk = path.join(folder, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', disk]);
    releaseAtEnd(() => execFileSync('umount', ['-l', disk]));
    await mkdir(path.join(folder, 'in'));
    for (const name of names) await writeFile(path.join(folder, 'in', name), randomBytes(size));
    const store = await openArtifactStore(`file:${disk}/store`);
    await writeFile(path.join(disk, 'filler'), Buffer.alloc(14 * mebibyte));

    await expect(store.put(path.join(folder, 'in'))).rejects.toMatchObject({
      code: 'INFRASTRUCTURE_FAILED',
      message: expect.stringContaining('ENOSPC'),
      hint: expect.stringContaining('Make room'),
      fields: { place: `${disk}/store` },
    });
    expect(await readdir(path.join(disk, 'store/v1/tmp'))).toEqual([]);
    for await (const blob of store.blobs()) await store.verify({ ...blob, type: 'file' });

    await rm(path.join(disk, 'filler'));
    await store.verify(await store.put(path.join(folder, 'in')));
  });
});

describe('A store in a folder', () => {
  test('shows nothing of a file whose writer was killed, and the next one finishes it', async () => {
    const folder = await temporaryFolder();
    const root = path.join(folder, 'store');
    const source = path.join(folder, 'large');
    await writeFile(source, randomBytes(mebibyte));
    // Sparse: quick to make, as slow to store as any file of its size.
    execFileSync('truncate', ['-s', '1500M', source]);
    const child = await startScript('put-child.ts', [`file:${root}`, source]);
    const temporary = async () => (await readdir(path.join(root, 'v1/tmp')).catch(() => [])).length > 0;
    await waitFor(temporary, { what: 'a file under way', intervalMs: 2 });
    child.kill('SIGKILL');
    expect((await child.ended).stdout).toBe('');
    const store = await openArtifactStore(`file:${root}`);
    for await (const { digest } of store.blobs()) throw new Error(`there is ${digest}`);
    execFileSync('truncate', ['-s', '20M', source]);
    await store.verify(await store.put(source));
  });
});
