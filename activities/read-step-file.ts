import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, open } from 'node:fs/promises';

/**
 * Opens a file that a step wrote, for reading. The folder is the step's to fill: a link would lead the worker to files of the
 * host, and a pipe would never answer.
 * @returns undefined when there is no such regular file
 */
export async function openStepFile(file: string): Promise<FileHandle | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const handle = await open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined);
  if (!handle) return undefined;
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  return undefined;
}

/** The text of such a file, or undefined. @param limit bytes; what is longer is refused @throws RangeError */
export async function readStepFile(file: string, limit: number): Promise<string | undefined> {
  const handle = await openStepFile(file);
  if (!handle) return undefined;
  try {
    const { size } = await handle.stat();
    if (size > limit) throw new RangeError(`${size} bytes are more than ${limit}`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** Whether a path is a folder of its own and no link to another. */
export const isOwnFolder = (folder: string): Promise<boolean> =>
  lstat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
