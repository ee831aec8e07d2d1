import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { eachLimited } from './each-limited.js';

/** From this many files on it is quicker to have the whole file system written out. */
const many = 64;

/** Has the bytes of files of one file system written to its disk. */
export async function syncFiles(root: string, paths: readonly string[]): Promise<void> {
  if (paths.length >= many && (await syncFileSystem(root))) return;
  await eachLimited(paths, syncPath, { limit: 8 });
}

/** Has a file's bytes, or a folder's names, written to the disk. */
export async function syncPath(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

/** syncfs(2), which Node does not offer, by the program that does. False where there is none. */
async function syncFileSystem(root: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  return await new Promise((resolve) => {
    const child = spawn('sync', ['-f', root], { stdio: 'ignore' });
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
}
