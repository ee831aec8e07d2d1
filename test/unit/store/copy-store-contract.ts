import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Digest } from '../../../sdk/artifact.js';
import type { ArtifactStore } from '../../../store/artifact-store.js';
import { copyStore } from '../../../store/copy-store.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { startScript } from './fork-script.js';

export type CopyPlace = {
  /** A new, empty store. */
  readonly fresh: () => Promise<{
    readonly address: string;
    /** Changes a stored blob's bytes behind the store's back. */
    readonly corrupt: (digest: Digest) => Promise<void>;
  }>;
};

/** What copying from one kind of store to another must hold. */
export function copyStoreContract(name: string, from: CopyPlace, to: CopyPlace): void {
  const pair = async () => {
    const [source, target] = [await from.fresh(), await to.fresh()];
    return {
      source,
      target,
      from: await openArtifactStore(source.address),
      to: await openArtifactStore(target.address),
    };
  };

  describe(`copying a store, ${name}`, () => {
    test('brings everything, and a second copy has nothing to do', async () => {
      const { from, to } = await pair();
      const tree = await from.put(await sampleTree());
      const file = await from.putBytes('a file');
      const large = await from.putBytes(randomBytes(5_000_000));
      const seen: number[] = [];
      const report = await copyStore({ from, to, verify: true, onProgress: ({ bytes }) => seen.push(bytes) });
      const blobs = await digestsOf(from);
      expect(report).toMatchObject({
        copied: { blobs: blobs.length },
        present: { blobs: 0 },
        verified: { blobs: blobs.length },
        bad: [],
      });
      expect(await digestsOf(to)).toEqual(blobs);
      for (const artifact of [tree, file, large]) await to.verify(artifact);
      expect(seen.length).toBeGreaterThanOrEqual(blobs.length);
      expect(await copyStore({ from, to })).toMatchObject({
        copied: { blobs: 0 },
        present: { blobs: blobs.length },
      });
    }, 60_000);

    test('puts a tree there only once all of its files are', async () => {
      const { from, to } = await pair();
      const tree = await from.put(await sampleTree());
      const order: Digest[] = [];
      const watched: ArtifactStore = {
        ...to,
        async putBytes(content, options) {
          const stored = await to.putBytes(content, options);
          order.push(stored.digest);
          return stored;
        },
      };
      await copyStore({ from, to: watched });
      expect(order.at(-1)).toBe(tree.digest);
      expect(order.length).toBeGreaterThan(20);
    }, 60_000);

    test('goes on after kill -9 with what is missing', async () => {
      const { source, target, from, to } = await pair();
      for (let n = 0; n < 200; n++) await from.putBytes(randomBytes(20_000));
      const large = await from.putBytes(randomBytes(20_000_000));
      const child = await startScript('copy-child.ts', path.join(await temporaryFolder(), 'copy.cjs'), [
        source.address,
        target.address,
      ]);
      for await (const line of createInterface({ input: child.stdout! }))
        if (line === 'copying 40') child.kill('SIGKILL');
      const before = (await digestsOf(to)).length;
      expect(before).toBeGreaterThanOrEqual(40);
      expect(before).toBeLessThan(201);
      for (const digest of await digestsOf(to)) await to.verify({ digest, type: 'file' });
      const report = await copyStore({ from, to, verify: true });
      expect(report).toMatchObject({
        copied: { blobs: 201 - before },
        present: { blobs: before },
        verified: { blobs: 201 },
        bad: [],
      });
      await to.verify(large);
    }, 120_000);

    test('names what is bad in the source, and copies all else', async () => {
      const { source, from, to } = await pair();
      const [good, rotten] = [await from.putBytes('good'), await from.putBytes('rotten')];
      await source.corrupt(rotten.digest);
      const report = await copyStore({ from: await openArtifactStore(source.address), to });
      expect(report.copied.blobs).toBe(1);
      expect(report.bad).toEqual([
        { digest: rotten.digest, code: 'ARTIFACT_CORRUPT', message: expect.stringContaining(rotten.digest) },
      ]);
      expect(await digestsOf(to)).toEqual([good.digest]);
    });

    test('with verify finds what changed in the target', async () => {
      const { target, from, to } = await pair();
      const { digest } = await from.putBytes('was good');
      await copyStore({ from, to });
      await target.corrupt(digest);
      const report = await copyStore({ from, to: await openArtifactStore(target.address), verify: true });
      expect(report.bad).toMatchObject([{ digest, code: 'ARTIFACT_CORRUPT' }]);
      // What was set aside is missing, and comes anew.
      const again = await copyStore({ from, to: await openArtifactStore(target.address), verify: true });
      expect(again).toMatchObject({ copied: { blobs: 1 }, bad: [] });
    });

    test('ends when it is told to', async () => {
      const { from, to } = await pair();
      await from.putBytes('x');
      await expect(copyStore({ from, to, signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    });
  });
}

async function sampleTree(): Promise<string> {
  const folder = path.join(await temporaryFolder(), 'tree');
  await mkdir(path.join(folder, 'deep'), { recursive: true });
  for (let n = 0; n < 25; n++)
    await writeFile(
      path.join(folder, n % 2 ? 'deep' : '.', `f${n}`),
      createHash('sha256').update(`${n}`).digest(),
    );
  return folder;
}

async function digestsOf(store: ArtifactStore): Promise<readonly Digest[]> {
  const found: Digest[] = [];
  for await (const { digest } of store.blobs()) found.push(digest);
  return found.sort();
}
