import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import ignore from 'ignore';
import { pack } from 'tar-fs';
import type { Pack } from 'tar-fs';

/** The files of an `image.build` context that go to the engine. */
export type BuildContext = {
  /** SHA-256 over names, kinds, contents and the Dockerfile's name, hex. */
  readonly digest: string;
  /** A tar of them. */
  tar(): Pack;
};

/** Lists the folder's files but those .dockerignore names; the Dockerfile and .dockerignore always go along. */
export async function readBuildContext(folder: string, dockerfile: string): Promise<BuildContext> {
  const patterns = await readFile(path.join(folder, ignoreFile), 'utf8').catch(() => '');
  const leftOut = dockerIgnores(patterns);
  const always = new Set([path.posix.normalize(dockerfile), ignoreFile]);
  const entries = new Set<string>();
  const visit = async (relative: string): Promise<void> => {
    for (const entry of await readdir(path.join(folder, relative), { withFileTypes: true })) {
      const name = path.posix.join(relative, entry.name);
      if (always.has(name) || !leftOut(entry.isDirectory() ? `${name}/` : name)) {
        for (let kept = name; kept !== '.'; kept = path.posix.dirname(kept)) entries.add(kept);
      }
      // Something below a folder that is left out may be let in again.
      if (entry.isDirectory()) await visit(name);
    }
  };
  await visit('');
  const hash = createHash('sha256').update(`${dockerfile}\0`);
  for (const name of [...entries].sort()) await addEntry(hash, folder, name);
  return { digest: hash.digest('hex'), tar: () => packEntries(folder, entries) };
}

const ignoreFile = '.dockerignore';

/**
 * Docker's rules: patterns begin at the root of the context, and of those that name a path or a folder above it the last one
 * decides, so that a file may be let in again below a folder that is left out.
 */
function dockerIgnores(text: string): (name: string) => boolean {
  const rules = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const letIn = line.startsWith('!');
      const pattern = path.posix.normalize(letIn ? line.slice(1).trim() : line).replace(/^\/+/, '');
      return { letIn, matcher: ignore().add(`/${pattern}`) };
    });
  return (name) => {
    const decisive = rules.findLast(({ matcher }) => matcher.ignores(name));
    return decisive !== undefined && !decisive.letIn;
  };
}

async function addEntry(hash: ReturnType<typeof createHash>, folder: string, name: string): Promise<void> {
  const file = path.join(folder, name);
  const stats = await lstat(file);
  const kind = stats.isDirectory() ? 'd' : stats.isSymbolicLink() ? 'l' : stats.mode & 0o111 ? 'x' : 'f';
  hash.update(`${kind} ${name}\0${kind === 'f' || kind === 'x' ? stats.size : 0}\0`);
  if (kind === 'l') hash.update(`${await readlink(file)}\0`);
  if (stats.isFile()) await pipeline(createReadStream(file), hash, { end: false });
}

function packEntries(folder: string, entries: ReadonlySet<string>): Pack {
  return pack(folder, {
    ignore: (name) => {
      const relative = path.relative(folder, name);
      return relative !== '' && !entries.has(relative.split(path.sep).join('/'));
    },
    map: (header) => ({ ...header, uid: 0, gid: 0 }),
  });
}
