import type { FileHandle } from 'node:fs/promises';
import { link, lstat, mkdir, open, readlink, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import type { StoreOptions } from '../../store/artifact-store.js';
import { eachLimited } from '../../store/each-limited.js';
import { copyHashed } from '../../store/hash-file.js';
import { changed, openRegular } from '../../store/open-regular.js';
import { makeFolders } from '../../store/place-content.js';
import type { FolderLook, SeenFile } from './look-at-folder.js';
import { identityOf } from './look-at-folder.js';

const atOnce = 8;

/**
 * Gives what was seen in a folder second names in another one, which the program that writes to the first does not reach: what it
 * renames or removes from then on changes nothing there. Both lie on one disk.
 * @param target is made
 * @throws UnsafeOutput for a file that is no longer what was seen
 */
export async function pinFolder(
  { files, emptyFolders }: FolderLook,
  { folder, target, signal }: StoreOptions & { readonly folder: string; readonly target: string },
): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  await makeFolders(target, { paths: files.map((file) => file.path), folders: emptyFolders });
  const root = await realpath(folder);
  await eachLimited(files, (file) => pinFile(file, { root, target: path.join(target, file.path) }), {
    limit: atOnce,
    signal,
  });
}

/** Whether nobody has written since to what was pinned: a second name is no copy. */
export async function isAsPinned({ files }: FolderLook, target: string): Promise<boolean> {
  const found = await eachLimited(
    files,
    async ({ path: name, identity }) => {
      const now = identityOf(await lstat(path.join(target, name), { bigint: true }));
      return now === identity || inodeOf(now) !== inodeOf(identity);
    },
    { limit: atOnce },
  );
  return found.every(Boolean);
}

const inodeOf = (identity: string): string => identity.split(':', 2).join(':');

async function pinFile(
  { source, identity }: SeenFile,
  { root, target }: { readonly root: string; readonly target: string },
): Promise<void> {
  await using file = await openRegular(source);
  const isSeen = identityOf(await file.stat({ bigint: true })) === identity;
  if (!isSeen || !(await liesBelow(root, file, source))) throw changed(source);
  if (!(await isLinked(source, target))) return copyTo(target, file);
  if (identityOf(await lstat(target, { bigint: true })) === identity) return;
  // By another file of that name: the program may turn a folder into a link at any moment.
  await rm(target, { force: true });
  throw changed(source);
}

/** Of the open file itself: its path may have become a link to files of the host. */
async function liesBelow(root: string, file: FileHandle, source: string): Promise<boolean> {
  const real = await readlink(`/proc/self/fd/${file.fd}`).catch(() => realpath(source));
  return real.startsWith(root + path.sep);
}

/** Not on every disk, and not for files of others. */
const isLinked = (source: string, target: string): Promise<boolean> =>
  link(source, target).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') throw changed(source);
      return false;
    },
  );

async function copyTo(target: string, file: FileHandle): Promise<void> {
  const { mode } = await file.stat();
  await using to = await open(target, 'wx', mode & 0o777);
  await copyHashed(file, to);
}
