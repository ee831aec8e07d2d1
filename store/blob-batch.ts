import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../sdk/artifact.js';
import { syncFiles } from './sync-files.js';

/** Small blobs that are written together, so that the disk is waited for once and not for each. */
export type BlobBatch = AsyncDisposable & {
  readonly has: (digest: Digest) => boolean;
  /** Writes a temporary file. */
  readonly add: (digest: Digest, bytes: Uint8Array) => void;
  readonly full: () => boolean;
  /** Gives every blob its name, once all of its bytes are on the disk, and tells which. */
  readonly commit: () => Promise<readonly Digest[]>;
};

/** Temporary files that wait for their names at once. */
const most = 5_000;

export function createBlobBatch({
  root,
  temporary,
  pathOf,
  mode,
}: {
  /** Of the store: one file system. */
  readonly root: string;
  /** Folder of temporary files. */
  readonly temporary: string;
  readonly pathOf: (digest: Digest) => string;
  readonly mode: number;
}): BlobBatch {
  const waiting = new Map<Digest, string>();
  const prefix = `${process.pid}-${randomBytes(8).toString('hex')}`;
  let count = 0;
  return {
    has: (digest) => waiting.has(digest),
    full: () => waiting.size >= most,
    add(digest, bytes) {
      const path = join(temporary, `${prefix}-${++count}`);
      waiting.set(digest, path);
      const file = openSync(path, 'wx', mode);
      try {
        for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
      } finally {
        closeSync(file);
      }
    },
    async commit() {
      if (waiting.size === 0) return [];
      await syncFiles(root, [...waiting.values()]);
      const folders = new Set<string>();
      for (const [digest, path] of waiting) {
        const target = pathOf(digest);
        const folder = dirname(target);
        if (!folders.has(folder) && mkdirSync(folder, { recursive: true }) !== undefined)
          folders.add(dirname(folder));
        folders.add(folder);
        renameSync(path, target);
      }
      const committed = [...waiting.keys()];
      waiting.clear();
      await syncFiles(root, [...folders]);
      return committed;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...waiting.values()].map((path) => rm(path, { force: true })));
    },
  };
}
