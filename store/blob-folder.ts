import { randomBytes } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { createReadStream, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Digest } from '../sdk/artifact.js';
import { digestPattern } from '../sdk/artifact.js';
import { ArtifactCorrupt, ArtifactMissing } from '../sdk/errors.js';
import type { RemoveOptions, StoredBlob, StoreOptions } from './artifact-store.js';
import type { BlobStore, PlaceBlobOptions } from './blob-store.js';
import { createBlobBatch } from './blob-batch.js';
import { createBreath } from './breath.js';
import { checkedStream } from './checked-stream.js';
import { sayingDiskFull } from './disk-full.js';
import type { Hashed } from './hash-file.js';
import { chunkBytes, copyHashed, digestOf, hashFile } from './hash-file.js';
import { openRegular } from './open-regular.js';
import { placeBlob } from './place-content.js';
import { readSmallFile } from './read-small-file.js';
import { syncPath } from './sync-files.js';

/**
 * Blobs in one folder tree of this machine: `<root>/v1/blobs/sha256/ab/cdef…`. Any number of processes may use it at once. What
 * it hands out was hashed by this process since it was last written to.
 */
export interface BlobFolder extends BlobStore {
  pathOf(digest: Digest): string;
  /** Path of the blob, its bytes checked. @throws ArtifactMissing, ArtifactCorrupt */
  verified(digest: Digest, options?: StoreOptions): Promise<string>;
  /** Takes in a blob that `write` makes at a path and has checked; nothing is synced: for copies of what is safe elsewhere. */
  admit(digest: Digest, write: (path: string) => Promise<void>): Promise<void>;
}

const blobMode = 0o444;
/** What a writer that died left behind is removed when it is this old. */
const leftoverMs = 24 * 3_600_000;
const mostRemembered = 100_000;
/** No removal takes longer. */
const removalMs = 60_000;

export type BlobFolderOptions = {
  /** A blob that is found again is not marked as used more often than this, ms. Default an hour. */
  readonly touchAfterMs?: number;
};

/** Opens the folder, creating it if need be. */
export async function openBlobFolder(
  root: string,
  { touchAfterMs = 3_600_000 }: BlobFolderOptions = {},
): Promise<BlobFolder> {
  const home = join(root, 'v1');
  const blobs = join(home, 'blobs', 'sha256');
  const temporary = join(home, 'tmp');
  const corrupt = join(home, 'corrupt');
  const removed = join(home, 'removed');
  await sayingDiskFull(root, async () => {
    await mkdir(blobs, { recursive: true });
    await mkdir(temporary, { recursive: true });
  });
  await removeLeftovers(temporary);
  const known = new Map<Digest, string>();

  const pathOf = (digest: Digest): string => {
    const hex = digest.slice('sha256:'.length);
    return join(blobs, hex.slice(0, 2), hex.slice(2));
  };

  async function sizeOf(digest: Digest): Promise<number | undefined> {
    const found = await statIfThere(pathOf(digest));
    return found && Number(found.size);
  }

  const remember = (digest: Digest, found: BigIntStats): void => {
    if (known.size >= mostRemembered) known.clear();
    known.set(digest, identity(found));
  };

  /** Has `write` make a temporary file, which then gets its name: it appears with all of its bytes. */
  async function commit(
    write: (path: string) => Promise<Hashed>,
    { synced }: { readonly synced: boolean },
  ): Promise<Hashed> {
    const temp = join(temporary, `${process.pid}-${randomBytes(8).toString('hex')}`);
    try {
      const hashed = await write(temp);
      if (await isKept(hashed)) return hashed;
      await seal(temp, synced);
      const target = pathOf(hashed.digest);
      const folder = dirname(target);
      if ((await mkdir(folder, { recursive: true })) && synced) await syncPath(blobs);
      await rename(temp, target);
      if (synced) await syncPath(folder);
      const found = await statIfThere(target);
      if (found) remember(hashed.digest, found);
      return hashed;
    } finally {
      await rm(temp, { force: true });
    }
  }

  /** Whether this content is there already. It then counts as stored again: garbage collection goes by that time. */
  async function isKept({ digest, size }: Hashed): Promise<boolean> {
    const found = await statIfThere(pathOf(digest));
    return found !== undefined && Number(found.size) === size && (await touchFound(digest, found));
  }

  async function touchFound(digest: Digest, found: BigIntStats): Promise<boolean> {
    const now = new Date();
    if (now.getTime() - Number(found.mtimeMs) < touchAfterMs) return true;
    const checked = known.get(digest) === identity(found);
    await utimes(pathOf(digest), now, now).catch(ignoreMissing);
    const touched = await statIfThere(pathOf(digest));
    if (touched && checked) remember(digest, touched);
    return touched !== undefined;
  }

  async function putBytes(bytes: Uint8Array): Promise<Hashed> {
    const hashed = { digest: digestOf(bytes), size: bytes.length };
    if (await isKept(hashed)) return hashed;
    return await commit(
      async (temp) => {
        await writeFile(temp, bytes, { flag: 'wx' });
        return hashed;
      },
      { synced: true },
    );
  }

  async function putFile(source: string, options: StoreOptions = {}): Promise<Hashed> {
    await using file = await openRegular(source);
    const { size } = await file.stat();
    // A small file is hashed in memory, so that content that is there already costs no write.
    if (size <= chunkBytes) return await putBytes(await file.readFile(options));
    return await commit((temp) => copyTo(temp, file, options), { synced: true });
  }

  async function putFiles(
    sources: readonly string[],
    options: StoreOptions = {},
  ): Promise<readonly Hashed[]> {
    await using batch = createBlobBatch({ root, temporary, pathOf, mode: blobMode });
    const breathe = createBreath();
    const stored: Hashed[] = [];
    const commitBatch = async (): Promise<void> => {
      for (const digest of await batch.commit()) {
        const found = statSync(pathOf(digest), { bigint: true, throwIfNoEntry: false });
        if (found) remember(digest, found);
      }
    };
    for (const source of sources) {
      options.signal?.throwIfAborted();
      const bytes = readSmallFile(source);
      if (!bytes) {
        stored.push(await putFile(source, options));
        continue;
      }
      const hashed = { digest: digestOf(bytes), size: bytes.length };
      stored.push(hashed);
      if (batch.has(hashed.digest)) continue;
      const there = statSync(pathOf(hashed.digest), { bigint: true, throwIfNoEntry: false });
      if (there && (await isKept(hashed))) continue;
      batch.add(hashed.digest, bytes);
      if (batch.full()) await commitBatch();
      await breathe();
    }
    await commitBatch();
    return stored;
  }

  async function verified(digest: Digest, options: StoreOptions = {}): Promise<string> {
    const path = pathOf(digest);
    const found = await statIfThere(path);
    if (!found) throw missing(digest);
    if (known.get(digest) === identity(found)) return path;
    const hashed = await hashFile(path, options);
    if (hashed.digest !== digest) throw await setAside(digest);
    remember(digest, found);
    return path;
  }

  /** Takes a blob that is not what its name says out of the way, so that it is missing from now on. */
  async function setAside(digest: Digest): Promise<ArtifactCorrupt> {
    known.delete(digest);
    await mkdir(corrupt, { recursive: true });
    const kept = join(corrupt, `${digest.slice('sha256:'.length)}-${Date.now()}`);
    await rename(pathOf(digest), kept).catch(ignoreMissing);
    return new ArtifactCorrupt(`Artifact ${digest} has changed in the store ${root}.`, {
      hint: `The bad bytes are kept at ${kept}; check the disk, then make or upload the artifact again.`,
      fields: { digest, kept },
    });
  }

  const missing = (digest: Digest): ArtifactMissing =>
    new ArtifactMissing(`Artifact ${digest} is not in the store ${root}.`, {
      hint: 'Run the step that made it, or upload it again.',
      fields: { digest },
    });

  async function read(digest: Digest, options: StoreOptions = {}): Promise<Readable> {
    if ((await sizeOf(digest)) === undefined) throw missing(digest);
    return checkedStream(createReadStream(pathOf(digest), options), digest, () => setAside(digest));
  }

  async function* list({ signal }: StoreOptions = {}): AsyncIterable<StoredBlob> {
    for (const folder of await readdir(blobs)) {
      for (const name of await readdir(join(blobs, folder))) {
        signal?.throwIfAborted();
        const digest: Digest = `sha256:${folder}${name}`;
        const found = digestPattern.test(digest) ? await statIfThere(pathOf(digest)) : undefined;
        if (found) yield { digest, size: Number(found.size), touchedAt: new Date(Number(found.mtimeMs)) };
      }
    }
  }

  /**
   * Taken away first and looked at then: a put that came in between either no longer finds it and writes it anew, or has touched
   * it, and it is put back.
   */
  async function remove(digest: Digest, { untouchedSince }: RemoveOptions = {}): Promise<boolean> {
    known.delete(digest);
    const path = pathOf(digest);
    const found = await statIfThere(path);
    if (!found || !isOlder(found, untouchedSince)) return false;
    await mkdir(removed, { recursive: true });
    const aside = join(removed, `${digest.slice('sha256:'.length)}-${process.pid}`);
    if (!(await renameIfThere(path, aside))) return false;
    const taken = await statIfThere(aside);
    if (taken && !isOlder(taken, untouchedSince)) {
      await putBack(digest, aside);
      return false;
    }
    await rm(aside, { force: true });
    return true;
  }

  async function putBack(digest: Digest, aside: string): Promise<void> {
    const path = pathOf(digest);
    // Whoever wrote it anew meanwhile wrote the same.
    if (await statIfThere(path)) await rm(aside, { force: true });
    else await renameIfThere(aside, path);
  }

  /** A remover that died may have taken away what was touched at that moment. */
  async function restoreRemoved(): Promise<void> {
    for (const name of await readdir(removed).catch(() => [])) {
      const aside = join(removed, name);
      const digest: Digest = `sha256:${name.slice(0, 64)}`;
      const found = digestPattern.test(digest) ? await statIfThere(aside) : undefined;
      // Its change time is that of the rename: a younger one may be in somebody's hands.
      if (found && Date.now() - Number(found.ctimeMs) > removalMs) await putBack(digest, aside);
    }
  }

  await restoreRemoved();
  return {
    location: root,
    atOnce: 8,
    pathOf,
    sizeOf,
    verified,
    read,
    list,
    putBytes: (bytes) => sayingDiskFull(root, () => putBytes(bytes)),
    putFile: (source, options) => sayingDiskFull(root, () => putFile(source, options)),
    putFiles: (sources, options) => sayingDiskFull(root, () => putFiles(sources, options)),
    async admit(digest, write) {
      const admitted = async (temp: string): Promise<Hashed> => {
        await write(temp);
        return { digest, size: (await stat(temp)).size };
      };
      await sayingDiskFull(root, () => commit(admitted, { synced: false }));
    },
    async touch(digest) {
      const found = await statIfThere(pathOf(digest));
      return found !== undefined && (await touchFound(digest, found));
    },
    async verify(digest, options) {
      await verified(digest, options);
    },
    bytes: async (digest, options = {}) => readFile(await verified(digest, options), options),
    async place(digest, target, { mode, executable, ...options }: PlaceBlobOptions) {
      await placeBlob(await verified(digest, options), target, { mode, executable });
    },
    remove,
  };
}

/**
 * What tells that a blob was not written to since its bytes were last checked. Not its change time: each hardlink made or
 * removed moves that, and large inputs would be hashed again for every step.
 */
const identity = ({ dev, ino, size, mtimeNs }: BigIntStats): string => `${dev}:${ino}:${size}:${mtimeNs}`;

async function statIfThere(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const isOlder = (found: BigIntStats, time: Date | undefined): boolean =>
  time === undefined || Number(found.mtimeMs) < time.getTime();

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

async function copyTo(path: string, from: FileHandle, options: StoreOptions): Promise<Hashed> {
  await using to = await open(path, 'wx');
  return await copyHashed(from, to, options);
}

/** Read-only, and on the disk before it gets its name. */
async function seal(path: string, synced: boolean): Promise<void> {
  await using file = await open(path, 'r');
  await file.chmod(blobMode);
  if (synced) await file.sync();
}

async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await lstat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > leftoverMs) await rm(path, { force: true });
  }
}
