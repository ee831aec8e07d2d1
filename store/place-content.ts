import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, link, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InvalidInput } from '../sdk/errors.js';
import type { PlaceOptions } from './artifact-store.js';

/** Has `write` make a file or folder beside `target` and gives it its name when it is whole. */
export async function placeWhole(target: string, write: (temporary: string) => Promise<void>): Promise<void> {
  if (await isThere(target)) {
    throw new InvalidInput(`Expected nothing to be at ${target}, but something is.`, {
      hint: 'Remove it or choose another path.',
    });
  }
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.partial`);
  try {
    await write(temporary);
    await rename(temporary, target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Links or copies a checked blob to a path that is free. */
export async function placeBlob(
  blob: string,
  target: string,
  { mode, executable }: Pick<PlaceOptions, 'mode'> & { readonly executable: boolean },
): Promise<void> {
  // All names of a hardlinked file share its mode, and blobs are not executable.
  if (mode === 'link' && !executable && (await tryLink(blob, target))) return;
  await copyFile(blob, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  const writable = mode === 'copy' ? 0o200 : 0;
  await chmod(target, (executable ? 0o555 : 0o444) | writable);
}

/** Makes the folders that `paths` lie in, and `folders` themselves. */
export async function makeFolders(
  root: string,
  { paths, folders }: { readonly paths: readonly string[]; readonly folders: readonly string[] },
): Promise<void> {
  await mkdir(root);
  for (const folder of new Set([...paths.map(dirname), ...folders])) {
    await mkdir(join(root, folder), { recursive: true });
  }
}

const linkImpossible = new Set(['EXDEV', 'EMLINK', 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP']);

async function tryLink(blob: string, target: string): Promise<boolean> {
  try {
    await link(blob, target);
    return true;
  } catch (error) {
    if (linkImpossible.has((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
