import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { changed } from './open-regular.js';
import { chunkBytes } from './hash-file.js';

/**
 * All bytes of a regular file up to a mebibyte, undefined for a larger one. At once, without the event loop: of ten thousand small
 * files each asynchronous call would cost more than the work it does. Call `breathe` between files.
 * @throws UnsafeOutput for anything but a file, links too
 */
export function readSmallFile(path: string): Buffer | undefined {
  const file = openSmall(path);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw changed(path);
    if (stats.size > chunkBytes) return undefined;
    const bytes = Buffer.allocUnsafe(stats.size);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(file, bytes, length, bytes.length - length, length);
      if (read === 0) throw changed(path);
      length += read;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function openSmall(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ELOOP' || code === 'ENXIO' ? changed(path) : error;
  }
}
