import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { UnsafeOutput } from '../sdk/errors.js';

/**
 * Opens a regular file for reading. Looked at again once open: what was a file a moment ago may have been replaced.
 * @throws UnsafeOutput for anything else, links too
 */
export async function openRegular(path: string): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ELOOP' || error.code === 'ENXIO' ? changed(path) : error;
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw changed(path);
}

/** For a file that is not what it was when it was looked at first. */
export const changed = (path: string): UnsafeOutput =>
  new UnsafeOutput(`\`${path}\` cannot be stored: it changed while it was read.`, {
    hint: 'Nothing may write to an output once its step has ended.',
    fields: { entry: path },
  });
