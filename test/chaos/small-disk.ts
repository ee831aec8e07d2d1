import { execFileSync } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { releaseAtEnd } from '../support/release-at-end.js';

/** A disk of its own, small enough to be filled. */
export type SmallDisk = {
  /** Leaves no byte on it. */
  readonly fill: () => Promise<void>;
  readonly free: () => Promise<void>;
};

/** Mounts it at a folder, until the end. */
export async function mountSmallDisk(folder: string, size: string): Promise<SmallDisk> {
  await mkdir(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  releaseAtEnd(() => execFileSync('umount', ['--lazy', folder]));
  const filler = path.join(folder, '.filler');
  return {
    async fill() {
      await using file = await open(filler, 'a');
      for (const size of [2 ** 20, 2 ** 12]) {
        try {
          for (;;) await file.write(Buffer.alloc(size));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
      }
    },
    free: () => rm(filler, { force: true }),
  };
}
