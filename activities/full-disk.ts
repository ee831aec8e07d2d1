import { statfs } from 'node:fs/promises';
import { InfrastructureFailed } from '../sdk/errors.js';

/** How full a disk was at the end of a program. */
export type DiskState = { readonly folder: string; readonly free: number; readonly share: number };

/** @returns undefined where it cannot be told */
export async function diskState(folder: string): Promise<DiskState | undefined> {
  const disk = await statfs(folder).catch(() => undefined);
  return disk && { folder, free: disk.bavail * disk.bsize, share: disk.bavail / disk.blocks };
}

/**
 * Refuses to blame a program that failed for a disk that took no more: one with less than a mebibyte left; where the program's last
 * words are the system's for that, one with less than a hundredth left, or one that nobody looked at when it ended.
 * @throws InfrastructureFailed
 */
export function refuseFullDisk(
  disk: DiskState | undefined,
  { lastWords, unseen }: { readonly lastWords: readonly string[]; readonly unseen: boolean },
): void {
  if (!disk) return;
  const { folder, free, share } = disk;
  const told = lastWords.some((line) =>
    /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/.test(line),
  );
  if (free >= leastFree && !(told && (unseen || share < leastShare))) return;
  throw new InfrastructureFailed(`The step failed while the disk of ${folder} was full.`, {
    hint: 'Make room there; `df` shows what is free. Another attempt follows by itself.',
    fields: { free, logTail: lastWords },
  });
}

const leastFree = 2 ** 20;
const leastShare = 0.01;
