import { statfs } from 'node:fs/promises';
import { InfrastructureFailed } from '../sdk/errors.js';

/**
 * Refuses to blame a program that failed on a disk that takes no more: one with less than a mebibyte left, or with less than a
 * hundredth where its last words are the system's for that.
 * @param folder where it wrote
 * @throws InfrastructureFailed
 */
export async function refuseFullDisk(folder: string, lastWords: readonly string[]): Promise<void> {
  const disk = await statfs(folder).catch(() => undefined);
  if (!disk) return;
  const free = disk.bavail * disk.bsize;
  const told = lastWords.some((line) =>
    /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/.test(line),
  );
  if (free >= leastFree && !(told && disk.bavail * 100 < disk.blocks)) return;
  throw new InfrastructureFailed(`The step failed while the disk of ${folder} was full.`, {
    hint: 'Make room there; `df` shows what is free. Another attempt follows by itself.',
    fields: { free, logTail: lastWords },
  });
}

const leastFree = 2 ** 20;
