import { chown, lstat, mkdir, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { containerPaths, contract } from '../../sdk/step-contract.js';
import type { Execution } from './executor.js';
import type { Owner } from './secret-files.js';

/** Whom programs run as when the worker is root: nobody of the host. */
const fixedOwner: Owner = { uid: 65_532, gid: 65_532 };

/** The worker's own ids, so that it owns what steps write; fixed ones when it is root. */
export function containerOwner(): Owner {
  const uid = process.getuid?.() ?? 0;
  return uid === 0 ? fixedOwner : { uid, gid: process.getgid?.() ?? uid };
}

/** Makes what the program may write, owned by whom it runs as, and the places that are mounted over. */
export async function prepareFolder(
  { folder, source, code, secrets }: Pick<Execution, 'folder' | 'source' | 'code' | 'secrets'>,
  owner: Owner,
): Promise<void> {
  const at = (name: string) => path.join(folder, name);
  const inside = (target: string) => at(path.relative(containerPaths.folder, target));
  const writable = [at(contract.outputs), at(contract.checkpoint)];
  // The engine would make missing places itself, as root, in a folder this user must be able to remove.
  const covered = [
    at(contract.inputs),
    inside(containerPaths.helper),
    ...(source ? [inside(containerPaths.source)] : []),
    ...(code ? [path.dirname(inside(containerPaths.code))] : []),
    ...(secrets.length > 0 ? [at(contract.secrets)] : []),
  ];
  await Promise.all([...writable, ...covered].map((made) => mkdir(made, { recursive: true })));
  const files = [at(contract.events), ...(code ? [inside(containerPaths.code)] : [])];
  await Promise.all(files.map(touch));
  if (process.getuid?.() !== 0) return;
  await Promise.all([
    chown(folder, owner.uid, owner.gid),
    chown(at(contract.events), owner.uid, owner.gid),
    ...writable.map((target) => giveTree(target, owner)),
  ]);
}

const touch = async (file: string): Promise<void> => (await open(file, 'a')).close();

/** A checkpoint may hold what another executor's attempt wrote as another user. */
async function giveTree(target: string, owner: Owner): Promise<void> {
  const stats = await lstat(target);
  if (stats.isSymbolicLink()) return;
  if (stats.uid !== owner.uid || stats.gid !== owner.gid) await chown(target, owner.uid, owner.gid);
  if (!stats.isDirectory()) return;
  for (const name of await readdir(target)) await giveTree(path.join(target, name), owner);
}
