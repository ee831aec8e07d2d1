import type { BigIntStats } from 'node:fs';
import { lstatSync } from 'node:fs';
import type { StoreOptions } from '../../store/artifact-store.js';
import { createBreath } from '../../store/breath.js';
import type { FoundFile } from '../../store/scan-tree.js';
import { scanPath } from '../../store/scan-tree.js';
import { isOwnFolder } from '../read-step-file.js';

export type SeenFile = FoundFile & {
  /** Another where the file was written to or replaced since. */
  readonly identity: string;
  readonly size: number;
};

/** What lies in a folder at a moment, while a program may write to it. */
export type FolderLook = {
  readonly files: readonly SeenFile[];
  readonly emptyFolders: readonly string[];
  /** Bytes. */
  readonly size: number;
  /** When a file of it was last written to, ms. */
  readonly writtenAt: number;
  /** Another where anything of it has changed since. */
  readonly fingerprint: string;
};

/**
 * Looks at all that counts in a checkpoint: not at names that begin with a dot or end in `.tmp`, which are being written.
 * @returns undefined where there is none
 * @throws UnsafeOutput naming what cannot be stored; an error with a `code` where something vanished meanwhile
 */
export async function lookAtFolder(
  folder: string,
  options: StoreOptions = {},
): Promise<FolderLook | undefined> {
  if (!(await isOwnFolder(folder))) return undefined;
  const found = await scanPath(folder, { ...options, leaveOut: isUnfinished });
  if (found.type === 'file' || found.files.length === 0) return undefined;
  const breathe = createBreath();
  const files: SeenFile[] = [];
  let size = 0;
  let writtenAt = 0;
  for (const file of found.files) {
    const stats = lstatSync(file.source, { bigint: true });
    files.push({ ...file, identity: identityOf(stats), size: Number(stats.size) });
    size += Number(stats.size);
    writtenAt = Math.max(writtenAt, Number(stats.mtimeMs));
    await breathe();
  }
  const { emptyFolders } = found;
  const seen = files.map(({ path, identity, executable }) => [path, identity, executable]);
  return { files, emptyFolders, size, writtenAt, fingerprint: JSON.stringify([seen, emptyFolders]) };
}

const isUnfinished = (name: string): boolean => name.startsWith('.') || name.endsWith('.tmp');

/** Not its change time, which a second name of the file moves. */
export const identityOf = ({ dev, ino, size, mtimeNs }: BigIntStats): string =>
  `${dev}:${ino}:${size}:${mtimeNs}`;
