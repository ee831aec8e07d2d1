import { randomBytes } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../sdk/artifact.js';
import { digestPattern } from '../sdk/artifact.js';
import { ArtifactCorrupt, ArtifactMissing, UnsafeOutput } from '../sdk/errors.js';
import type { StoredBlob, StoreOptions } from './artifact-store.js';
import type { Hashed } from './hash-file.js';
import { chunkBytes, copyHashed, digestOf, hashFile } from './hash-file.js';

/** Blobs by digest in one folder tree: `<root>/v1/blobs/sha256/ab/cdef…`, each whole or absent, never changed. */
export interface BlobFolder {
  pathOf(digest: Digest): string;
  putBytes(bytes: Uint8Array): Promise<Hashed>;
  /** Stores a regular file's bytes; a link at `source` is refused. @throws UnsafeOutput */
  putFile(source: string, options?: StoreOptions): Promise<Hashed>;
  /** Size of the blob in bytes, or undefined when it is absent. */
  sizeOf(digest: Digest): Promise<number | undefined>;
  /** Path of the blob, its bytes checked. @throws ArtifactMissing, ArtifactCorrupt */
  verified(digest: Digest, options?: StoreOptions): Promise<string>;
  /** Takes a blob that is not what its name says out of the way, so that it is missing from now on. */
  setAside(digest: Digest): Promise<ArtifactCorrupt>;
  missing(digest: Digest): ArtifactMissing;
  /** Every blob, in no order. */
  list(options?: StoreOptions): AsyncIterable<StoredBlob>;
  /** Removes a blob, if it is there. */
  remove(digest: Digest): Promise<void>;
}

const blobMode = 0o444;
/** What a writer that died left behind is removed when it is this old. */
const leftoverMs = 24 * 3_600_000;
const mostRemembered = 100_000;
/** A blob that is found again is not marked as new more often than this. */
const touchAfterMs = 3_600_000;

/** Opens the folder, creating it if need be. */
export async function openBlobFolder(root: string): Promise<BlobFolder> {
  const home = join(root, 'v1');
  const blobs = join(home, 'blobs', 'sha256');
  const temporary = join(home, 'tmp');
  const corrupt = join(home, 'corrupt');
  await mkdir(blobs, { recursive: true });
  await mkdir(temporary, { recursive: true });
  await removeLeftovers(temporary);
  const known = new Map<Digest, string>();

  const pathOf = (digest: Digest): string => {
    const hex = digest.slice('sha256:'.length);
    return join(blobs, hex.slice(0, 2), hex.slice(2));
  };

  const sizeOf = async (digest: Digest): Promise<number | undefined> => {
    const found = await statIfThere(pathOf(digest));
    return found && Number(found.size);
  };

  const remember = (digest: Digest, found: BigIntStats): void => {
    if (known.size >= mostRemembered) known.clear();
    known.set(digest, identity(found));
  };

  /** Writes a temporary file by `write`, then gives it its name: it appears with all of its bytes. */
  async function commit(write: (file: FileHandle) => Promise<Hashed>): Promise<Hashed> {
    const temp = join(temporary, `${process.pid}-${randomBytes(8).toString('hex')}`);
    try {
      const hashed = await writeTemporary(temp, write);
      if (await isKept(hashed)) return hashed;
      await seal(temp);
      const target = pathOf(hashed.digest);
      const folder = dirname(target);
      if (await mkdir(folder, { recursive: true })) await syncFolder(blobs);
      await rename(temp, target);
      await syncFolder(folder);
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
    if (!found || Number(found.size) !== size) return false;
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
    return commit(async (file) => {
      await file.writeFile(bytes);
      return hashed;
    });
  }

  async function putFile(source: string, options: StoreOptions = {}): Promise<Hashed> {
    await using file = await openRegular(source);
    const { size } = await file.stat();
    // A small file is hashed in memory, so that content that is there already costs no write.
    if (size <= chunkBytes) return await putBytes(await file.readFile(options));
    return await commit((to) => copyHashed(file, to, options));
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

  async function remove(digest: Digest): Promise<void> {
    known.delete(digest);
    await rm(pathOf(digest), { force: true });
  }

  return { pathOf, putBytes, putFile, sizeOf, verified, setAside, missing, list, remove };
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

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

async function writeTemporary(path: string, write: (file: FileHandle) => Promise<Hashed>): Promise<Hashed> {
  await using file = await open(path, 'wx');
  return await write(file);
}

/** Read-only, and on the disk before it gets its name. */
async function seal(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.chmod(blobMode);
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

/** Looked at again once open: what was a file a moment ago may have been replaced. */
async function openRegular(path: string): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ELOOP' || error.code === 'ENXIO' ? changed(path) : error;
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw changed(path);
}

const changed = (path: string): UnsafeOutput =>
  new UnsafeOutput(`\`${path}\` cannot be stored: it stopped being a file while it was read.`, {
    hint: 'Nothing may write to an output once its step has ended.',
    fields: { entry: path },
  });

async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await lstat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > leftoverMs) await rm(path, { force: true });
  }
}
