import { readdir, rename, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { removeTree } from './remove-tree.js';
import { contract } from '../sdk/step-contract.js';

/**
 * A step's checkpoint outlives its attempts on this host: the folder of an ended attempt shrinks to it, and the next attempt
 * takes it over. An attempt's folder is `<step's folder>/<attempt>`.
 */
export async function keepCheckpoint(folder: string): Promise<void> {
  const kept = await readdir(path.join(folder, contract.checkpoint)).catch(() => []);
  if (kept.length === 0) return removeTree(folder);
  for (const name of await readdir(folder)) {
    if (name !== contract.checkpoint) await removeTree(path.join(folder, name));
  }
}

/** Moves the newest earlier attempt's checkpoint into this one's folder, also of an attempt whose worker died. */
export async function takeCheckpoint(folder: string): Promise<void> {
  const step = path.dirname(folder);
  const attempts = (await readdir(step))
    .map(Number)
    .filter((attempt) => attempt < Number(path.basename(folder)));
  for (const attempt of attempts.sort((a, b) => b - a)) {
    const from = path.join(step, String(attempt), contract.checkpoint);
    const files = await readdir(from).catch(() => []);
    if (files.length > 0) return rename(from, path.join(folder, contract.checkpoint));
  }
}

/** When a step has ended nothing of its attempts up to this one is left on this host; a later one may be running already. */
export async function forgetStep(folder: string): Promise<void> {
  const step = path.dirname(folder);
  const ended = (await readdir(step).catch(() => [])).filter(
    (name) => Number(name) <= Number(path.basename(folder)),
  );
  for (const name of ended) await removeTree(path.join(step, name));
  for (const empty of [step, path.dirname(step)]) await rmdir(empty).catch(() => undefined);
}
