import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import type { Digest } from '../../../sdk/artifact.js';
import type { ArtifactStore } from '../../../store/artifact-store.js';

export type StoreUnderTest = {
  readonly store: ArtifactStore;
  /** Changes bytes of what is stored under the digest, its size left as it is. */
  corrupt(digest: Digest): Promise<void>;
  /** Removes what is stored under the digest. */
  lose(digest: Digest): Promise<void>;
};

const sha256 = (content: string | Buffer): Digest =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

/** What every artifact store does. `open` gives an empty one. */
export function artifactStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`The artifact store on ${name}`, () => {
    let store: ArtifactStore;
    let under: StoreUnderTest;
    let folder: string;
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'millrace-artifacts-'));
      under = await open();
      store = under.store;
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));

    const write = (path: string, content: string | Buffer, mode = 0o644): string => {
      const full = join(folder, path);
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, content);
      chmodSync(full, mode);
      return full;
    };
    const sampleTree = (): string => {
      write('tree/b.txt', 'b');
      write('tree/a/deep/x.bin', randomBytes(10));
      write('tree/a/copy.txt', 'b');
      write('tree/run.sh', '#!/bin/sh\n', 0o755);
      mkdirSync(join(folder, 'tree/empty/inner'), { recursive: true });
      return join(folder, 'tree');
    };
    const mode = (path: string) => statSync(path).mode & 0o777;

    describe('stores', () => {
      it.each([
        ['empty', ''],
        ['small', 'hello'],
      ])('an %s file under the sha256 of its bytes', async (_, content) => {
        const stored = await store.put(write('a.txt', content));
        expect(stored).toEqual({ digest: sha256(content), type: 'file', size: content.length });
        expect((await buffer(await store.read(stored.digest))).toString()).toBe(content);
        expect(await store.putBytes(content)).toEqual(stored);
      });

      it('a file of several megabytes', async () => {
        const content = randomBytes(5_000_001);
        const stored = await store.put(write('big', content));
        expect(stored).toEqual({ digest: sha256(content), type: 'file', size: content.length });
        expect(sha256(await buffer(await store.read(stored.digest)))).toBe(stored.digest);
      });

      it('a folder: entries sorted by path, size their sum, whatever order and time they were made in', async () => {
        const tree = sampleTree();
        const stored = await store.put(tree);
        const entries = await store.entries(stored.digest);
        expect(entries.map(({ path, size, executable }) => [path, size, executable])).toEqual([
          ['a/copy.txt', 1, false],
          ['a/deep/x.bin', 10, false],
          ['b.txt', 1, false],
          ['run.sh', 10, true],
        ]);
        expect(entries[0]?.digest).toBe(sha256('b'));
        expect(stored).toMatchObject({ type: 'tree', size: 22 });
        execFileSync('cp', ['-r', tree, join(folder, 'again')]);
        expect(await store.put(join(folder, 'again'))).toEqual(stored);
        chmodSync(join(folder, 'again/b.txt'), 0o755);
        expect((await store.put(join(folder, 'again'))).digest).not.toBe(stored.digest);
      });

      it('an empty folder', async () => {
        mkdirSync(join(folder, 'none'));
        const stored = await store.put(join(folder, 'none'));
        expect(stored).toMatchObject({ type: 'tree', size: 0 });
        await store.place(stored, join(folder, 'placed'), { mode: 'copy' });
        expect(readdirSync(join(folder, 'placed'))).toEqual([]);
      });

      it('links that stay inside as what they lead to', async () => {
        write('tree/data/x.txt', 'x');
        symlinkSync('data/x.txt', join(folder, 'tree/link.txt'));
        symlinkSync('data', join(folder, 'tree/folder'));
        const stored = await store.put(join(folder, 'tree'));
        expect((await store.entries(stored.digest)).map(({ path, digest }) => [path, digest])).toEqual([
          ['data/x.txt', sha256('x')],
          ['folder/x.txt', sha256('x')],
          ['link.txt', sha256('x')],
        ]);
        symlinkSync('link.txt', join(folder, 'tree/twice'));
        expect(await store.put(join(folder, 'tree/twice'))).toMatchObject({
          digest: sha256('x'),
          type: 'file',
        });
      });

      it('names outside ASCII, sorted by their UTF-8 bytes', async () => {
        for (const each of ['\u{1F600}', '\uFFEE', 'é', 'z', 'line\nbreak']) write(`tree/${each}`, each);
        const { digest } = await store.put(join(folder, 'tree'));
        expect((await store.entries(digest)).map(({ path }) => path)).toEqual(
          ['line\nbreak', 'z', 'é', '\uFFEE', '\u{1F600}'],
        ); // prettier-ignore
      });

      it('names as long as a file system has them, and deep folders', async () => {
        const long = `${'é'.repeat(127)}x`;
        const deep = Array.from({ length: 12 }, () => 'd'.repeat(200)).join('/');
        write(`tree/${long}`, 'long');
        write(`tree/${deep}/${long}`, 'deep');
        const stored = await store.put(join(folder, 'tree'));
        expect((await store.entries(stored.digest)).map(({ path }) => path)).toEqual(
          [`${deep}/${long}`, long],
        ); // prettier-ignore
        await store.place(stored, join(folder, 'placed'), { mode: 'copy' });
        execFileSync('diff', ['-r', join(folder, 'tree'), join(folder, 'placed')]);
      });

      it('the executable bit of the owner and no other mode', async () => {
        const modes = { plain: 0o600, group: 0o670, owner: 0o700, all: 0o777, setuid: 0o4755, none: 0o400 };
        for (const [name, mode] of Object.entries(modes)) write(`tree/${name}`, name, mode);
        const { digest } = await store.put(join(folder, 'tree'));
        expect((await store.entries(digest)).map(({ path, executable }) => [path, executable])).toEqual([
          ['all', true],
          ['group', false],
          ['none', false],
          ['owner', true],
          ['plain', false],
          ['setuid', true],
        ]);
        await store.place({ digest, type: 'tree' }, join(folder, 'placed'), { mode: 'copy' });
        expect(mode(join(folder, 'placed/setuid'))).toBe(0o755);
        expect(mode(join(folder, 'placed/plain'))).toBe(0o644);
      });

      it('empty files, each of them', async () => {
        for (const name of ['a', 'b', 'sub/c']) write(`tree/${name}`, '');
        const stored = await store.put(join(folder, 'tree'));
        expect(stored.size).toBe(0);
        await store.place(stored, join(folder, 'placed'), { mode: 'link' });
        execFileSync('diff', ['-r', join(folder, 'tree'), join(folder, 'placed')]);
      });

      it('many files, put at once by many callers', async () => {
        for (let index = 0; index < 300; index++) write(`tree/${index % 7}/${index}`, `${index % 50}`);
        const puts = await Promise.all(Array.from({ length: 4 }, () => store.put(join(folder, 'tree'))));
        expect(new Set(puts.map(({ digest }) => digest)).size).toBe(1);
        for (const each of puts) expect(await store.has(each)).toBe(true);
      });
    });

    describe('refuses', () => {
      const refused = (path: string, entry: string, reason: string) =>
        expect(store.put(join(folder, path))).rejects.toMatchObject({
          code: 'UNSAFE_OUTPUT',
          message: expect.stringContaining(reason),
          fields: { entry },
        });

      it('a link that leads outside, in a tree and alone, naming it', async () => {
        write('secret.txt', 'secret');
        write('tree/ok.txt', 'ok');
        mkdirSync(join(folder, 'tree/sub'));
        symlinkSync('../../secret.txt', join(folder, 'tree/sub/leak'));
        await refused('tree', 'sub/leak', 'leads outside');
        symlinkSync('/etc/hostname', join(folder, 'tree/alone'));
        await refused('tree/alone', 'alone', 'leads outside');
      });

      it('a folder link that leads outside', async () => {
        write('other/secret.txt', 'secret');
        mkdirSync(join(folder, 'tree'));
        symlinkSync('../other', join(folder, 'tree/all'));
        await refused('tree', 'all', 'leads outside');
        // A neighbour whose name begins alike is outside too.
        write('tree-2/x', 'x');
        rmSync(join(folder, 'tree/all'));
        symlinkSync('../tree-2/x', join(folder, 'tree/x'));
        await refused('tree', 'x', 'leads outside');
      });

      it('links that lead nowhere or in a circle', async () => {
        mkdirSync(join(folder, 'tree'));
        symlinkSync('gone', join(folder, 'tree/dangling'));
        await refused('tree', 'dangling', 'leads nowhere');
        rmSync(join(folder, 'tree/dangling'));
        symlinkSync('.', join(folder, 'tree/self'));
        await refused('tree', 'self', 'a folder it lies in');
        rmSync(join(folder, 'tree/self'));
        symlinkSync('loop', join(folder, 'tree/loop'));
        await refused('tree', 'loop', 'leads to itself');
      });

      it('links to places that are no files of the tree by absolute paths, and devices', async () => {
        mkdirSync(join(folder, 'tree'));
        symlinkSync('/dev/null', join(folder, 'tree/null'));
        await refused('tree', 'null', 'leads outside');
        rmSync(join(folder, 'tree/null'));
        // An absolute link that stays inside is as good as a relative one.
        write('tree/x', 'x');
        symlinkSync(join(folder, 'tree/x'), join(folder, 'tree/inside'));
        const { digest } = await store.put(join(folder, 'tree'));
        expect((await store.entries(digest)).map(({ path }) => path)).toEqual(['inside', 'x']);
      });

      it('sockets, named pipes and devices', async () => {
        mkdirSync(join(folder, 'tree'));
        execFileSync('mkfifo', [join(folder, 'tree/pipe')]);
        await refused('tree', 'pipe', 'a named pipe');
        await refused('tree/pipe', 'pipe', 'a named pipe');
        rmSync(join(folder, 'tree/pipe'));
        const server = createServer();
        await new Promise<void>((resolve) => server.listen(join(folder, 'tree/socket'), resolve));
        await refused('tree', 'socket', 'a socket');
        await new Promise((resolve) => server.close(resolve));
        await expect(store.put('/dev/null')).rejects.toThrow('a device');
      });

      it('names that are not UTF-8', async () => {
        mkdirSync(join(folder, 'tree'));
        writeFileSync(Buffer.concat([Buffer.from(join(folder, 'tree/')), Buffer.from([0x66, 0xff])]), 'x');
        await expect(store.put(join(folder, 'tree'))).rejects.toThrow('a name that is not UTF-8');
      });

      it('what is not there', async () => {
        await expect(store.put(join(folder, 'none.csv'))).rejects.toThrow(
          `There is no file or folder at ${folder}`,
        );
      });
    });

    describe('knows whether it has', () => {
      it('a file and a tree, whole', async () => {
        const stored = await store.put(sampleTree());
        expect(await store.has(stored)).toBe(true);
        expect(await store.has({ digest: sha256('b'), type: 'file' })).toBe(true);
        expect(await store.has({ digest: sha256('other'), type: 'file' })).toBe(false);
        await under.lose(sha256('b'));
        expect(await store.has(stored)).toBe(false);
        expect(await store.has({ digest: sha256('b'), type: 'file' })).toBe(false);
        await under.lose(stored.digest);
        expect(await store.has(stored)).toBe(false);
      });

      it('no tree where a file is', async () => {
        const { digest } = await store.putBytes('no manifest');
        expect(await store.has({ digest, type: 'tree' })).toBe(false);
      });
    });

    describe.each(['link', 'copy'] as const)('places by %s', (placing) => {
      it('a file', async () => {
        const stored = await store.putBytes('hello');
        await store.place(stored, join(folder, 'placed'), { mode: placing });
        expect(readFileSync(join(folder, 'placed'), 'utf8')).toBe('hello');
        expect(mode(join(folder, 'placed'))).toBe(placing === 'link' ? 0o444 : 0o644);
      });

      it('a tree with its executables and empty folders, as it was', async () => {
        const tree = sampleTree();
        const stored = await store.put(tree);
        await store.place(stored, join(folder, 'placed'), { mode: placing });
        execFileSync('diff', ['-r', tree, join(folder, 'placed')]);
        expect(existsSync(join(folder, 'placed/empty/inner'))).toBe(true);
        expect(mode(join(folder, 'placed/run.sh'))).toBe(placing === 'link' ? 0o555 : 0o755);
        expect(mode(join(folder, 'placed/b.txt'))).toBe(placing === 'link' ? 0o444 : 0o644);
        expect(await store.put(join(folder, 'placed'))).toEqual(stored);
      });

      it('nothing when content has changed, and says which', async () => {
        const stored = await store.put(sampleTree());
        await under.corrupt(sha256('b'));
        await expect(store.place(stored, join(folder, 'placed'), { mode: placing })).rejects.toMatchObject({
          code: 'ARTIFACT_CORRUPT',
          fields: { digest: sha256('b') },
        });
        expect(readdirSync(folder)).toEqual(['tree']);
        // Found out once, it is missing from then on, and can be stored again.
        expect(await store.has(stored)).toBe(false);
        await store.put(join(folder, 'tree'));
        await store.place(stored, join(folder, 'placed'), { mode: placing });
      });

      it('nothing when content is missing', async () => {
        const stored = await store.put(sampleTree());
        await under.lose(sha256('b'));
        await expect(store.place(stored, join(folder, 'placed'), { mode: placing })).rejects.toMatchObject({
          code: 'ARTIFACT_MISSING',
        });
        expect(readdirSync(folder)).toEqual(['tree']);
      });

      it('nothing over what is there', async () => {
        const stored = await store.putBytes('hello');
        const target = write('there', 'mine');
        await expect(store.place(stored, target, { mode: placing })).rejects.toMatchObject({
          code: 'INVALID_INPUT',
        });
        expect(readFileSync(target, 'utf8')).toBe('mine');
      });

      it('nothing once the signal is aborted', async () => {
        const stored = await store.put(sampleTree());
        const options = { mode: placing, signal: AbortSignal.abort() };
        await expect(store.place(stored, join(folder, 'placed'), options)).rejects.toThrow(/abort/i);
        expect(readdirSync(folder)).toEqual(['tree']);
      });
    });

    it('places copies that a step may write to, the store left as it was', async () => {
      const stored = await store.put(sampleTree());
      await store.place(stored, join(folder, 'mine'), { mode: 'copy' });
      writeFileSync(join(folder, 'mine/b.txt'), 'changed');
      chmodSync(join(folder, 'mine/b.txt'), 0o777);
      await store.place(stored, join(folder, 'fresh'), { mode: 'copy' });
      expect(readFileSync(join(folder, 'fresh/b.txt'), 'utf8')).toBe('b');
    });

    it('lets no manifest climb out of its target', async () => {
      const content = await store.putBytes('evil');
      for (const path of ['../escaped', '/escaped', 'a/../../escaped', 'a//b', './a', '']) {
        const manifest = {
          format: 'millrace-tree/1',
          entries: [{ path, digest: content.digest, size: 4, executable: false }],
          emptyFolders: [],
        };
        const { digest } = await store.putBytes(JSON.stringify(manifest));
        await expect(
          store.place({ digest, type: 'tree' }, join(folder, 'placed'), { mode: 'copy' }),
        ).rejects.toThrow('is no folder tree');
      }
      expect(readdirSync(folder)).toEqual([]);
    });

    it('fails a read whose bytes have changed', async () => {
      const { digest } = await store.putBytes('hello');
      await under.corrupt(digest);
      await expect(store.read(digest).then(buffer)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' });
      await expect(store.read(digest)).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
      await expect(store.entries(sha256('none'))).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
    });

    it('verifies what is whole, and names what has changed or is missing', async () => {
      const tree = await store.put(sampleTree());
      await store.verify(tree);
      await under.corrupt(sha256('b'));
      await expect(store.verify(tree)).rejects.toMatchObject({
        code: 'ARTIFACT_CORRUPT',
        fields: { digest: sha256('b') },
      });
      await expect(store.verify(tree)).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
      expect(await store.has(tree)).toBe(false);
      await store.put(join(folder, 'tree'));
      await store.verify(tree);
      const file = await store.putBytes('hello');
      await under.lose(file.digest);
      await expect(store.verify(file)).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
    });

    it('lists every blob with size and time, and removes one', async () => {
      const before = Date.now();
      const tree = await store.put(sampleTree());
      const found = new Map<string, { size: number; touchedAt: Date }>();
      for await (const { digest, ...blob } of store.blobs()) found.set(digest, blob);
      const contents = (await store.entries(tree.digest)).map(({ digest }) => digest);
      expect([...found.keys()].sort()).toEqual([...new Set([tree.digest, ...contents])].sort());
      expect(found.get(sha256('b'))?.size).toBe(1);
      for (const { touchedAt } of found.values()) {
        expect(Math.abs(touchedAt.getTime() - before)).toBeLessThan(60_000);
      }
      await store.remove(sha256('b'));
      await store.remove(sha256('b'));
      expect(await store.has({ digest: sha256('b'), type: 'file' })).toBe(false);
      expect(await store.has(tree)).toBe(false);
      const left: string[] = [];
      for await (const { digest } of store.blobs()) left.push(digest);
      expect(left).toHaveLength(found.size - 1);
    });

    it('removes only what nobody touched since, and says whether it did', async () => {
      const { digest } = await store.putBytes('garbage?');
      const untouchedSince = new Date(Date.now() - 60_000);
      expect(await store.remove(digest, { untouchedSince })).toBe(false);
      expect(await text(await store.read(digest))).toBe('garbage?');
      expect(await store.remove(digest, { untouchedSince: new Date(Date.now() + 60_000) })).toBe(true);
      expect(await store.remove(digest)).toBe(false);
    });

    it('touches what is there, and says when it is not', async () => {
      const { digest } = await store.putBytes('needed');
      expect(await store.touch(digest)).toBe(true);
      await store.verify({ digest, type: 'file' });
      expect(await store.touch(sha256('never stored'))).toBe(false);
    });

    it('honours an aborted signal everywhere', async () => {
      const signal = AbortSignal.abort();
      const { digest } = await store.putBytes('hello');
      await expect(store.put(sampleTree(), { signal })).rejects.toThrow(/abort/i);
      await expect(store.put(write('big', randomBytes(3_000_000)), { signal })).rejects.toThrow(/abort/i);
      await expect(store.put(write('small', 'x'), { signal })).rejects.toThrow(/abort/i);
      await expect(store.putBytes('x', { signal })).rejects.toThrow(/abort/i);
      await expect(store.has({ digest, type: 'file' }, { signal })).rejects.toThrow(/abort/i);
      await expect(store.read(digest, { signal })).rejects.toThrow(/abort/i);
    });
  });
}
