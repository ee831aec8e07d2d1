import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Digest } from '../../../sdk/artifact.js';
import type { StoredArtifact } from '../../../store/artifact-store.js';
import { blobArtifactStore } from '../../../store/blob-artifact-store.js';
import { openBlobFolder } from '../../../store/blob-folder.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { artifactStoreContract } from './artifact-store-contract.js';
import { forkScript } from './fork-script.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const freshRoot = () => join(folder, `${++count}`);
const blobPath = (root: string, digest: Digest): string =>
  join(root, 'v1/blobs/sha256', digest.slice(7, 9), digest.slice(9));
const blobsOf = (root: string): string[] =>
  readdirSync(join(root, 'v1/blobs/sha256'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

/** Waits for so many turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

artifactStoreContract('a local folder', async () => {
  const root = freshRoot();
  return {
    store: await openArtifactStore(`file:${root}`),
    async corrupt(digest) {
      const path = blobPath(root, digest);
      const { length } = readFileSync(path);
      chmodSync(path, 0o644);
      writeFileSync(path, '?'.repeat(length));
      // A disk's clock may tick slower than a test writes.
      utimesSync(path, new Date(), new Date(Date.now() + 1_000));
    },
    async lose(digest) {
      rmSync(blobPath(root, digest));
    },
  };
});

describe('A local artifact store', () => {
  it('keeps each content once, read-only, and nothing temporary', async () => {
    const root = freshRoot();
    const store = await openArtifactStore(`file:${root}`);
    const first = await store.putBytes('hello');
    const inode = statSync(blobPath(root, first.digest)).ino;
    await store.putBytes('hello');
    const big = join(folder, 'big');
    writeFileSync(big, Buffer.alloc(3_000_000, 1));
    const { digest } = await store.put(big);
    const bigInode = statSync(blobPath(root, digest)).ino;
    await store.put(big);
    expect(statSync(blobPath(root, first.digest)).ino).toBe(inode);
    expect(statSync(blobPath(root, digest)).ino).toBe(bigInode);
    expect(statSync(blobPath(root, digest)).mode & 0o777).toBe(0o444);
    expect(blobsOf(root)).toHaveLength(2);
    expect(readdirSync(join(root, 'v1/tmp'))).toEqual([]);
  });

  it('links a file where it can, without another copy of its bytes', async () => {
    const root = freshRoot();
    const store = await openArtifactStore(`file:${root}`);
    const stored = await store.putBytes('hello');
    await store.place(stored, join(folder, 'linked'), { mode: 'link' });
    await store.place(stored, join(folder, 'copied'), { mode: 'copy' });
    const { ino } = statSync(blobPath(root, stored.digest));
    expect(statSync(join(folder, 'linked')).ino).toBe(ino);
    expect(statSync(join(folder, 'copied')).ino).not.toBe(ino);
  });

  it('copies where the folder is on another device', async () => {
    const target = mkdtempSync('/dev/shm/millrace-');
    try {
      const store = await openArtifactStore(`file:${freshRoot()}`);
      const stored = await store.putBytes('hello');
      await store.place(stored, join(target, 'placed'), { mode: 'link' });
      expect(readFileSync(join(target, 'placed'), 'utf8')).toBe('hello');
      expect(statSync(join(target, 'placed')).mode & 0o777).toBe(0o444);
    } finally {
      rmSync(target, { recursive: true });
    }
  });

  it('looks at the bytes again once a blob it had checked was written to, its size the same', async () => {
    const root = freshRoot();
    const store = await openArtifactStore(`file:${root}`);
    const stored = await store.putBytes('hello');
    await store.place(stored, join(folder, 'before'), { mode: 'link' });
    chmodSync(blobPath(root, stored.digest), 0o644);
    writeFileSync(blobPath(root, stored.digest), 'HELLO');
    await expect(store.place(stored, join(folder, 'after'), { mode: 'link' })).rejects.toMatchObject({
      code: 'ARTIFACT_CORRUPT',
    });
    expect(readdirSync(join(root, 'v1/corrupt'))).toHaveLength(1);
  });

  it('takes the same content from several processes at once', async () => {
    const root = freshRoot();
    const tree = join(folder, 'shared');
    mkdirSync(tree);
    for (let index = 0; index < 60; index++) writeFileSync(join(tree, `${index}`), `${index}`.repeat(50_000));
    const lists = Array.from({ length: 4 }, () => [`file:${root}`, tree]);
    const answers = await forkScript('store-child.ts', lists);
    expect(new Set(answers).size).toBe(1);
    const store = await openArtifactStore(`file:${root}`);
    const stored = JSON.parse(String(answers[0])) as StoredArtifact;
    await store.place(stored, join(folder, 'from-shared'), { mode: 'copy' });
    expect(await store.put(join(folder, 'from-shared'))).toEqual(stored);
    expect(blobsOf(root)).toHaveLength(61);
    expect(readdirSync(join(root, 'v1/tmp'))).toEqual([]);
  }, 60_000);

  it('counts content that is put again as new', async () => {
    const root = freshRoot();
    const store = await openArtifactStore(`file:${root}`);
    const { digest } = await store.putBytes('hello');
    const old = new Date(Date.now() - 7_200_000);
    utimesSync(blobPath(root, digest), old, old);
    const touched = async () => {
      for await (const blob of store.blobs()) return blob.touchedAt.getTime();
      return undefined;
    };
    expect(await touched()).toBeLessThan(Date.now() - 3_600_000);
    await store.putBytes('hello');
    expect(await touched()).toBeGreaterThan(Date.now() - 60_000);
  });

  it('sweeps what a writer that died left behind a day ago, and nothing younger', async () => {
    const root = freshRoot();
    await openArtifactStore(`file:${root}`);
    const [old, young] = ['1-old', '2-young'].map((name) => join(root, 'v1/tmp', name)) as [string, string];
    writeFileSync(old, 'x');
    writeFileSync(young, 'x');
    utimesSync(old, new Date(0), new Date(0));
    await openArtifactStore(`file:${root}`);
    expect(readdirSync(join(root, 'v1/tmp'))).toEqual(['2-young']);
  });

  it('says which addresses it knows', async () => {
    await expect(openArtifactStore('gs://bucket')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('`file:<path>`'),
    });
  });

  it('puts back what a remover that died had taken away, once nobody can be at it any more', async () => {
    const root = freshRoot();
    const { digest } = await (await openArtifactStore(`file:${root}`)).putBytes('taken');
    const removed = join(root, 'v1/removed');
    mkdirSync(removed);
    renameSync(blobPath(root, digest), join(removed, `${digest.slice(7)}-99999`));
    const store = await openArtifactStore(`file:${root}`);
    expect(await store.has({ digest, type: 'file' })).toBe(false);
    const later = Date.now() + 120_000;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(later);
    await openArtifactStore(`file:${root}`).finally(() => clock.mockRestore());
    await store.verify({ digest, type: 'file' });
    expect(readdirSync(removed)).toEqual([]);
  });

  it('removes beside writers of the same content: whoever was told it is stored can read it', async () => {
    const root = freshRoot();
    const [writer, remover] = [
      blobArtifactStore(await openBlobFolder(root, { touchAfterMs: 0 })),
      await openArtifactStore(`file:${root}`),
    ];
    const { digest } = await writer.putBytes('contended');
    let removals = 0;
    for (let turn = 0; turn < 300; turn++) {
      const path = blobPath(root, digest);
      utimesSync(path, 1_000, 1_000);
      const untouchedSince = new Date(Date.now() - 10_000);
      const [gone] = await Promise.all([
        remover.remove(digest, { untouchedSince }),
        // Sooner or later than the removal, by turns.
        turns(turn % 12).then(() => writer.putBytes('contended')),
      ]);
      if (gone) removals += 1;
      await writer.verify({ digest, type: 'file' });
    }
    expect(removals).toBeGreaterThan(0);
  });
});

describe('docs/artifact-layout.md', () => {
  const text = readFileSync(resolve(__dirname, '../../../docs/artifact-layout.md'), 'utf8');
  const block = (name: string): string =>
    new RegExp(`<!-- ${name} -->\\s*\`\`\`\\w*\\n([\\s\\S]*?)\\n\`\`\``).exec(text)?.[1] ?? '';

  it('has digests in its example that follow from the bytes it shows', () => {
    const manifest = block('manifest');
    const { entries } = JSON.parse(manifest) as { entries: { path: string; digest: string; size: number }[] };
    const contents: Record<string, string> = {
      'README.txt': 'A model.\n',
      'bin/predict': '#!/bin/sh\necho 0.5\n',
    };
    for (const { path, digest, size } of entries) {
      expect([digest, size]).toEqual([sha256(contents[path]!), contents[path]!.length]);
    }
    expect(text).toContain(`digest of the tree is \`${sha256(manifest)}\``);
    const hex = sha256(manifest).slice(7);
    expect(block('layout')).toContain(`${hex.slice(0, 2)}/${hex.slice(2)}`);
  });

  it('tells what the store does with that very tree', async () => {
    const root = freshRoot();
    const tree = join(folder, 'example');
    mkdirSync(join(tree, 'bin'), { recursive: true });
    mkdirSync(join(tree, 'assets'));
    writeFileSync(join(tree, 'README.txt'), 'A model.\n');
    writeFileSync(join(tree, 'bin/predict'), '#!/bin/sh\necho 0.5\n', { mode: 0o755 });
    const store = await openArtifactStore(`file:${root}`);
    const stored = await store.put(tree);
    expect(text).toContain(`digest of the tree is \`${stored.digest}\``);
    expect(readFileSync(blobPath(root, stored.digest), 'utf8')).toBe(block('manifest'));
    for (const line of block('layout').split('\n').slice(1)) {
      const path = line.trim().split(/\s+/)[0]!;
      expect(statSync(join(root, 'v1/blobs/sha256', path)).isFile()).toBe(true);
    }
  });

  const sha256 = (content: string): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;
});
