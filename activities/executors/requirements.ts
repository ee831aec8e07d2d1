import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { DependenciesFailed } from '../../sdk/errors.js';

export const requirementsFile = 'requirements.txt';

/** The dependency lock of a source: its requirements.txt and the files that one refers to with -r or -c. */
export type Requirements = {
  /** Relative to the source, `/` between folders. */
  readonly files: readonly { readonly path: string; readonly content: string }[];
  /** SHA-256 of names and contents, hex. */
  readonly digest: string;
};

/**
 * @returns undefined when the folder has no requirements.txt
 * @throws DependenciesFailed when it names a folder of the source: no digest of the lock would cover that
 */
export async function readRequirements(source: string): Promise<Requirements | undefined> {
  const files = new Map<string, string>();
  await collect(source, requirementsFile, files);
  if (files.size === 0) return undefined;
  const sorted = [...files]
    .map(([name, content]) => ({ path: name, content }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  return { files: sorted, digest: createHash('sha256').update(JSON.stringify(sorted)).digest('hex') };
}

async function collect(source: string, name: string, files: Map<string, string>): Promise<void> {
  if (files.has(name) || name.startsWith('../')) return;
  const content = await readFile(path.join(source, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
    // A file that is referred to and missing is pip's to report.
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (content === undefined) return;
  const local = localPath.exec(content)?.[0].trim();
  if (local !== undefined) {
    throw new DependenciesFailed(`${name} names a local path: \`${local}\`.`, {
      hint: 'List published packages only; modules of the source folder can be imported as they are.',
    });
  }
  files.set(name, content);
  for (const [, referred = ''] of content.matchAll(reference)) {
    await collect(source, path.posix.join(path.posix.dirname(name), referred), files);
  }
}

const localPath = /^\s*(?:\.{1,2}\/|(?:-e|--editable)[\s=]).*$/m;
const reference = /^\s*(?:-r|-c|--requirement|--constraint)[\s=]*([^\s#]+)/gm;
