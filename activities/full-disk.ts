import { statfs } from 'node:fs/promises';
import { InfrastructureFailed } from '../sdk/errors.js';

/** How full a disk was at the end of a program, as far as it can be told. */
export type DiskState = {
  readonly folder: string;
  /** Bytes. */
  readonly free: number;
  /** Of all it has. */
  readonly share: number;
  /** Whether it took nothing more at some moment while the program ran, or nobody looked then. */
  readonly wasFull: boolean;
};

export type WatchedDisk = Disposable & {
  /** Looks once more. @returns undefined where it cannot be told */
  readonly atEnd: () => Promise<DiskState | undefined>;
};

const lookMs = 1_000;
const leastFree = 2 ** 20;
const leastShare = 0.01;

/**
 * Looks at the disk of a folder while a program runs: there may be room again when its end is heard of.
 * @param unseen whether the program ran before, when nobody looked
 */
export function watchDisk(folder: string, { unseen }: { readonly unseen: boolean }): WatchedDisk {
  let wasFull = unseen;
  const look = async () => {
    const disk = await statfs(folder).catch(() => undefined);
    if (!disk) return undefined;
    const free = disk.bavail * disk.bsize;
    wasFull ||= free < leastFree;
    return { folder, free, share: disk.bavail / disk.blocks, wasFull };
  };
  const timer = setInterval(() => void look(), lookMs);
  return { atEnd: look, [Symbol.dispose]: () => clearInterval(timer) };
}

/**
 * Refuses to blame a program that failed for a disk that takes no more: one with less than a mebibyte left; where the program's last
 * words are the system's for that, one with less than a hundredth left, or one that was full while it ran.
 * @throws InfrastructureFailed
 */
export function refuseFullDisk(disk: DiskState | undefined, lastWords: readonly string[]): void {
  if (!disk) return;
  const { folder, free, share, wasFull } = disk;
  const told = lastWords.some((line) =>
    /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/.test(line),
  );
  if (free >= leastFree && !(told && (wasFull || share < leastShare))) return;
  throw new InfrastructureFailed(`The step failed while the disk of ${folder} was full.`, {
    hint: 'Make room there; `df` shows what is free. Another attempt follows by itself.',
    fields: { free, logTail: lastWords },
  });
}
