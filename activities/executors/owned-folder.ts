import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readStepFile } from '../read-step-file.js';
import { removeTree } from '../remove-tree.js';
import type { ExecutionIdentity } from './executor.js';

type Owner = Pick<ExecutionIdentity, 'installation' | 'run' | 'step' | 'attempt'>;

/** A folder outside the state directory that belongs to one attempt, and says so, for the sweep. */
export type OwnedFolder = {
  /** What the attempt uses. */
  readonly folder: string;
  /** Removes all of it; never throws. */
  remove(): Promise<void>;
};

/** Beside that folder: whose it is. */
export const ownerFile = 'owner.json';

/**
 * Makes `<prefix>XXXXXX/<name>`.
 * @param prefix path that the folder's name begins with
 */
export async function makeOwnedFolder(
  { installation, run, step, attempt }: Owner,
  { prefix, name }: { readonly prefix: string; readonly name: string },
): Promise<OwnedFolder> {
  const root = await mkdtemp(prefix);
  const remove = () => removeTree(root);
  try {
    await writeFile(path.join(root, ownerFile), JSON.stringify({ installation, run, step, attempt }));
    const folder = path.join(root, name);
    await mkdir(folder, { mode: 0o700 });
    return { folder, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

export type LeftFolder = Pick<Owner, 'run' | 'step' | 'attempt'> & {
  readonly root: string;
  remove(): Promise<void>;
};

/** Folders with that prefix that belong to an installation. One that does not say whose it is is being made just now. */
export async function ownedFolders(prefix: string, installation: string): Promise<readonly LeftFolder[]> {
  const place = path.dirname(prefix);
  const names = await readdir(place).catch(() => []);
  const found = await Promise.all(
    names
      .filter((name) => name.startsWith(path.basename(prefix)))
      .map(async (name): Promise<readonly LeftFolder[]> => {
        const root = path.join(place, name);
        const owner = await ownerOf(root);
        if (owner?.installation !== installation) return [];
        const { run, step, attempt } = owner;
        return [{ run, step, attempt, root, remove: () => removeTree(root) }];
      }),
  );
  return found.flat();
}

/** Others' folders may begin alike and hold anything. */
async function ownerOf(root: string): Promise<Owner | undefined> {
  try {
    const text = await readStepFile(path.join(root, ownerFile), 64 * 1024);
    return text === undefined ? undefined : (JSON.parse(text) as Owner);
  } catch {
    return undefined;
  }
}
