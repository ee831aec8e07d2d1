import { chmodSync, existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../../sdk/artifact.js';
import { cachedBlobs } from '../../../store/blob-cache.js';
import type { BlobFolder } from '../../../store/blob-folder.js';
import { openBlobFolder } from '../../../store/blob-folder.js';
import type { BlobStore } from '../../../store/blob-store.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const kibibyte = 1024;
const link = { mode: 'link', executable: false } as const;

let root: string;
let far: BlobFolder;
/** Digests that were asked of the far store, in order. */
let fetched: Digest[];
let remote: BlobStore;

beforeEach(async () => {
  root = await temporaryFolder();
  far = await openBlobFolder(join(root, 'far'));
  fetched = [];
  remote = {
    ...far,
    place: async (digest, target, options) => {
      fetched.push(digest);
      await far.place(digest, target, options);
    },
  };
  await mkdir(join(root, 'work'));
});

const cacheDir = () => join(root, 'cache');
const inCache = (digest: Digest): string =>
  join(cacheDir(), 'v1/blobs/sha256', digest.slice(7, 9), digest.slice(9));
const target = (name: string): string => join(root, 'work', name);
const put = async (name: string, size = kibibyte): Promise<Digest> =>
  (await far.putBytes(Buffer.alloc(size, name))).digest;
const age = (digest: Digest, minutes: number): void => {
  const time = new Date(Date.now() - minutes * 60_000);
  utimesSync(inCache(digest), time, time);
};

it('fetches content once, and links it read-only from then on', async () => {
  const digest = await put('a');
  const cache = await cachedBlobs(remote, { dir: cacheDir(), size: 2 ** 20 });
  await cache.place(digest, target('one'), link);
  await cache.place(digest, target('two'), link);
  await cache.place(digest, target('mine'), { mode: 'copy', executable: false });
  expect(fetched).toEqual([digest]);
  expect(statSync(target('one')).ino).toBe(statSync(inCache(digest)).ino);
  expect(statSync(target('two')).mode & 0o777).toBe(0o444);
  expect(statSync(target('mine')).ino).not.toBe(statSync(inCache(digest)).ino);
});

it('fetches content that many want at once for all of them', async () => {
  const digest = await put('a');
  const cache = await cachedBlobs(remote, { dir: cacheDir(), size: 2 ** 20 });
  await Promise.all(['1', '2', '3', '4'].map((name) => cache.place(digest, target(name), link)));
  expect(fetched).toEqual([digest]);
});

it('is there for the next process, which checks what it finds', async () => {
  const digest = await put('a');
  await (await cachedBlobs(remote, { dir: cacheDir(), size: 2 ** 20 })).bytes(digest);
  const next = await cachedBlobs(remote, { dir: cacheDir(), size: 2 ** 20 });
  expect((await next.bytes(digest)).length).toBe(kibibyte);
  expect(fetched).toHaveLength(1);
});

it('fetches a copy again that has gone bad', async () => {
  const digest = await put('a');
  const cache = await cachedBlobs(remote, { dir: cacheDir(), size: 2 ** 20 });
  await cache.bytes(digest);
  chmodSync(inCache(digest), 0o644);
  writeFileSync(inCache(digest), Buffer.alloc(kibibyte, '?'));
  await cache.place(digest, target('a'), link);
  expect(readFileSync(target('a'), 'utf8')).toBe('a'.repeat(kibibyte));
  expect(fetched).toHaveLength(2);
});

it('stays below its size: what was not used for longest goes', async () => {
  const cache = await cachedBlobs(remote, { dir: cacheDir(), size: 10 * kibibyte });
  const old = await Promise.all(['a', 'b', 'c', 'd'].map((name) => put(name, 2 * kibibyte)));
  for (const [index, digest] of old.entries()) {
    await cache.bytes(digest);
    age(digest, 100 - index);
  }
  // Another process, which knows only what the disk tells; `a` is used again there.
  const next = await cachedBlobs(remote, { dir: cacheDir(), size: 10 * kibibyte });
  await next.bytes(old[0]!);
  await next.bytes(await put('e', 2 * kibibyte));
  expect(old.map((digest) => existsSync(inCache(digest)))).toEqual([true, false, true, true]);
});

it('keeps what a step holds by a hardlink, and lets it go afterwards', async () => {
  const cache = await cachedBlobs(remote, { dir: cacheDir(), size: 4 * kibibyte });
  const held = await put('held', 3 * kibibyte);
  await cache.place(held, target('held'), link);
  age(held, 100);
  await cache.bytes(await put('b', 3 * kibibyte));
  expect(existsSync(inCache(held))).toBe(true);
  rmSync(target('held'));
  await cache.bytes(await put('c', 3 * kibibyte));
  expect(existsSync(inCache(held))).toBe(false);
});

it('keeps what is being placed', async () => {
  const cache = await cachedBlobs(remote, { dir: cacheDir(), size: kibibyte });
  const digests = await Promise.all(Array.from({ length: 40 }, (_, index) => put(`${index}`)));
  await Promise.all(digests.map((digest, index) => cache.place(digest, target(`${index}`), link)));
  for (const [index] of digests.entries()) expect(statSync(target(`${index}`)).size).toBe(kibibyte);
});

it('places content that another process removes in the meantime', async () => {
  const digest = await put('a');
  let removals = 0;
  const cache = await cachedBlobs(
    {
      ...remote,
      place: async (wanted, path, options) => {
        await remote.place(wanted, path, options);
        // After it was admitted, before it is used.
        if (removals++ === 0) setImmediate(() => rmSync(inCache(wanted), { force: true }));
      },
    },
    { dir: cacheDir(), size: 2 ** 20 },
  );
  await cache.place(digest, target('a'), link);
  expect(readFileSync(target('a'), 'utf8')).toBe('a'.repeat(kibibyte));
});

it('hands on that content is missing or has changed far away', async () => {
  const digest = await put('a');
  const cache = await cachedBlobs(remote, { dir: cacheDir(), size: 2 ** 20 });
  chmodSync(far.pathOf(digest), 0o644);
  writeFileSync(far.pathOf(digest), Buffer.alloc(kibibyte, '?'));
  await expect(cache.place(digest, target('a'), link)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' });
  await expect(cache.place(digest, target('a'), link)).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
  expect(existsSync(target('a'))).toBe(false);
});
