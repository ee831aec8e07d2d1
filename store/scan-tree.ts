import type { Stats } from 'node:fs';
import { lstatSync, readdirSync } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { InvalidInput, UnsafeOutput } from '../sdk/errors.js';
import type { StoreOptions } from './artifact-store.js';
import { createBreath } from './breath.js';

export type FoundFile = {
  /** In the tree, `/`-separated; the file's own name for a single file. */
  readonly path: string;
  /** Where its bytes are: an absolute path without links. */
  readonly source: string;
  readonly executable: boolean;
};

export type Found =
  | { readonly type: 'file'; readonly file: FoundFile }
  | { readonly type: 'tree'; readonly files: readonly FoundFile[]; readonly emptyFolders: readonly string[] };

/** Links to folders that hold links to folders multiply: a tree ends somewhere. */
const mostEntries = 1_000_000;

export type ScanOptions = StoreOptions & {
  /** Entries a tree may have. Default a million. */
  readonly most?: number;
  /** Whether an entry and all below it are left out, by its name. */
  readonly leaveOut?: (name: string) => boolean;
};

/**
 * What there is to store at `path`, links followed. A link may lead to where its own tree reaches (a single file's tree is
 * its folder).
 * @throws UnsafeOutput naming the entry; InvalidInput when there is nothing at `path`
 */
export async function scanPath(
  path: string,
  { signal, most = mostEntries, leaveOut = () => false }: ScanOptions = {},
): Promise<Found> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new InvalidInput(`There is no file or folder at ${path}.`, {
      hint: 'Check the path.',
      cause: error,
    });
  });
  const name = basename(path);
  const place = join(await realpath(dirname(path)), name);
  const { real, stats } = found.isSymbolicLink()
    ? await followLink(place, { entry: name, root: dirname(place) })
    : { real: place, stats: found };
  if (stats.isFile()) return { type: 'file', file: foundFile(name, real, stats) };
  if (!stats.isDirectory()) throw unsafe(name, describe(stats));
  const files: FoundFile[] = [];
  const emptyFolders: string[] = [];
  let count = 0;
  const breathe = createBreath();

  async function walk(folder: string, prefix: string, above: readonly string[]): Promise<void> {
    // At once, without the event loop, which has its turn between: a folder may hold a million files.
    const names = readdirSync(folder, { encoding: 'buffer' });
    let kept = 0;
    for (const bytes of names) {
      signal?.throwIfAborted();
      if (leaveOut(bytes.toString())) continue;
      kept += 1;
      const entry = join(prefix, utf8Name(bytes, prefix)).replaceAll(sep, '/');
      if (++count > most) throw unsafe(entry, `the entry after ${most} others`);
      const place = join(folder, basename(entry));
      const itself = lstatSync(place);
      await breathe();
      const { real, stats } = itself.isSymbolicLink()
        ? await followLink(place, { entry, root: rootFolder })
        : { real: place, stats: itself };
      if (stats.isFile()) files.push(foundFile(entry, real, stats));
      else if (!stats.isDirectory()) throw unsafe(entry, describe(stats));
      else if (above.includes(real)) throw unsafe(entry, 'a link to a folder it lies in');
      else await walk(real, entry, [...above, real]);
    }
    if (kept === 0 && prefix !== '') emptyFolders.push(prefix);
  }
  const rootFolder = await realpath(real);
  await walk(rootFolder, '', [rootFolder]);
  return { type: 'tree', files, emptyFolders };
}

async function followLink(
  place: string,
  { entry, root }: { readonly entry: string; readonly root: string },
): Promise<{ readonly real: string; readonly stats: Stats }> {
  const real = await realpath(place).catch((error: NodeJS.ErrnoException) => {
    throw unsafe(entry, error.code === 'ELOOP' ? 'a link that leads to itself' : 'a link that leads nowhere');
  });
  if (real !== root && !real.startsWith(root + sep))
    throw unsafe(entry, `a link that leads outside, to ${real}`);
  return { real, stats: await stat(real) };
}

const foundFile = (path: string, source: string, stats: Stats): FoundFile => ({
  path,
  source,
  executable: (stats.mode & 0o100) !== 0,
});

function utf8Name(bytes: Buffer, prefix: string): string {
  const name = bytes.toString('utf8');
  if (!Buffer.from(name).equals(bytes)) throw unsafe(join(prefix, name), 'a name that is not UTF-8');
  return name;
}

function describe(stats: Stats): string {
  if (stats.isSocket()) return 'a socket';
  if (stats.isFIFO()) return 'a named pipe';
  return stats.isCharacterDevice() || stats.isBlockDevice() ? 'a device' : 'neither file nor folder';
}

function unsafe(entry: string, reason: string): UnsafeOutput {
  return new UnsafeOutput(`\`${entry}\` cannot be stored: it is ${reason}.`, {
    hint: 'Only files, folders and links that stay inside can be stored; write a copy instead.',
    fields: { entry, reason },
  });
}
