import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';

/**
 * Bytes on disk below a folder. Links are not followed; what vanishes meanwhile counts nothing.
 * @param except absolute paths that do not count
 */
export async function diskUsage(folder: string, except: ReadonlySet<string> = new Set()): Promise<number> {
  if (except.has(folder)) return 0;
  let total = 0;
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const parent = next;
    const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
    const counted = entries.filter(({ name }) => !except.has(path.join(parent, name)));
    folders.push(
      ...counted.filter((entry) => entry.isDirectory()).map(({ name }) => path.join(parent, name)),
    );
    for (let from = 0; from < counted.length; from += atOnce) {
      const sizes = await Promise.all(
        counted.slice(from, from + atOnce).map(({ name }) => sizeOf(path.join(parent, name))),
      );
      total += sizes.reduce((sum, size) => sum + size, 0);
    }
  }
  return total;
}

const atOnce = 64;

const sizeOf = (file: string): Promise<number> =>
  lstat(file).then(
    ({ blocks }) => blocks * 512,
    () => 0,
  );
