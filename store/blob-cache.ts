import { readFile, stat } from 'node:fs/promises';
import type { Digest } from '../sdk/artifact.js';
import { isMillraceError } from '../sdk/errors.js';
import type { StoreOptions } from './artifact-store.js';
import type { BlobFolder } from './blob-folder.js';
import { openBlobFolder } from './blob-folder.js';
import type { BlobStore } from './blob-store.js';
import { isDiskFull } from './disk-full.js';
import { placeBlob } from './place-content.js';

export type BlobCacheSettings = {
  /** Absolute folder. Any number of processes of this machine may share it. */
  readonly dir: string;
  /** Bytes it may take. What is in use stays, even where that is more. */
  readonly size: number;
};

/** A blob used again within this time is not marked again, ms: who is least recently used is known to the minute. */
const touchAfterMs = 60_000;
/** Room is made down to this share of the size, each time the rest of it may have been filled. */
const keptShare = 0.9;

/**
 * A blob store whose content is placed from a folder of this machine, fetched when it is not there. The folder is kept below its
 * size: what was not used for longest goes, never what is in use. A blob is in use while it is being placed, and as long as a
 * step holds a hardlink of it: removing that name would free nothing.
 */
export async function cachedBlobs(remote: BlobStore, { dir, size }: BlobCacheSettings): Promise<BlobStore> {
  const folder = await openBlobFolder(dir, { touchAfterMs });
  const fetches = new Map<
    Digest,
    { readonly done: Promise<void>; readonly signal: AbortSignal | undefined }
  >();
  const used = createUse();
  let admitted = Number.POSITIVE_INFINITY;

  async function fetchBlob(digest: Digest, options: StoreOptions): Promise<void> {
    const write = (path: string): Promise<void> =>
      remote.place(digest, path, { ...options, mode: 'copy', executable: false });
    await folder.admit(digest, write).catch(async (error: unknown) => {
      if (!isMillraceError(error) || !isDiskFull(error.cause)) throw error;
      // The disk holds less than it may: everything that can go makes room once.
      await makeRoom(0);
      await folder.admit(digest, write);
    });
    admitted += (await folder.sizeOf(digest)) ?? 0;
    if (admitted < size * (1 - keptShare)) return;
    // Measured, not counted: other processes fill the folder as well.
    admitted = 0;
    await makeRoom(size * keptShare);
  }

  /** Removes what was not used for longest until the folder holds no more than `limit`. */
  async function makeRoom(limit: number): Promise<void> {
    const found: { readonly digest: Digest; readonly size: number; readonly usedAt: number }[] = [];
    let total = 0;
    for await (const { digest, size: bytes, touchedAt } of folder.list()) {
      total += bytes;
      found.push({ digest, size: bytes, usedAt: Math.max(touchedAt.getTime(), used.at(digest)) });
    }
    found.sort((a, b) => a.usedAt - b.usedAt);
    for (const { digest, size: bytes } of found) {
      if (total <= limit) return;
      if (used.now(digest) || (await hasOtherNames(folder, digest))) continue;
      await folder.remove(digest);
      total -= bytes;
    }
  }

  /** Runs `use` on a checked file, which stays where it is meanwhile. */
  async function withBlob<T>(
    digest: Digest,
    options: StoreOptions,
    use: (path: string) => Promise<T>,
  ): Promise<T> {
    const release = used.hold(digest);
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const path = await checkedPath(digest, options);
          await folder.touch(digest);
          return await use(path);
        } catch (error) {
          // Another process of this machine has made room between our look and our use.
          const gone = (error as NodeJS.ErrnoException).code === 'ENOENT' || isMissing(error, folder);
          if (!gone || attempt === 3) throw error;
        }
      }
    } finally {
      release();
    }
  }

  async function checkedPath(digest: Digest, options: StoreOptions): Promise<string> {
    const there = await folder.verified(digest, options).catch((error: unknown) => {
      // A copy that has gone bad is fetched again.
      if (isMillraceError(error) && error.code.startsWith('ARTIFACT_')) return undefined;
      throw error;
    });
    if (there !== undefined) return there;
    await fetchOnce(digest, options);
    return await folder.verified(digest, options);
  }

  /** Whoever wants a blob that is being fetched waits for that, unless the one who fetches is told to stop. */
  async function fetchOnce(digest: Digest, options: StoreOptions): Promise<void> {
    const underWay = fetches.get(digest);
    if (underWay && !underWay.signal?.aborted) {
      await underWay.done.catch((error: unknown) => {
        if (!underWay.signal?.aborted) throw error;
      });
      options.signal?.throwIfAborted();
      if (!underWay.signal?.aborted) return;
    }
    const mine = { done: fetchBlob(digest, options), signal: options.signal };
    fetches.set(digest, mine);
    try {
      await mine.done;
    } finally {
      if (fetches.get(digest) === mine) fetches.delete(digest);
    }
  }

  return {
    ...remote,
    bytes: (digest, options = {}) => withBlob(digest, options, (path) => readFile(path, options)),
    async place(digest, target, { mode, executable, ...options }) {
      options.signal?.throwIfAborted();
      await withBlob(digest, options, (path) => placeBlob(path, target, { mode, executable }));
    },
    async remove(digest, options) {
      const gone = await remote.remove(digest, options);
      if (gone) await folder.remove(digest);
      return gone;
    },
  };
}

/** Which blobs this process uses now, and when it used each last. */
function createUse(): {
  readonly hold: (digest: Digest) => () => void;
  readonly now: (digest: Digest) => boolean;
  readonly at: (digest: Digest) => number;
} {
  const holders = new Map<Digest, number>();
  const times = new Map<Digest, number>();
  return {
    hold(digest) {
      holders.set(digest, (holders.get(digest) ?? 0) + 1);
      times.set(digest, Date.now());
      return () => {
        const left = (holders.get(digest) ?? 1) - 1;
        if (left > 0) holders.set(digest, left);
        else holders.delete(digest);
      };
    },
    now: (digest) => holders.has(digest),
    at: (digest) => times.get(digest) ?? 0,
  };
}

async function hasOtherNames(folder: BlobFolder, digest: Digest): Promise<boolean> {
  const found = await stat(folder.pathOf(digest)).catch(() => undefined);
  return found !== undefined && found.nlink > 1;
}

const isMissing = (error: unknown, folder: BlobFolder): boolean =>
  isMillraceError(error) && error.code === 'ARTIFACT_MISSING' && error.message.includes(folder.location);
