import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { removeTree } from './remove-tree.js';
import { contract } from '../sdk/step-contract.js';

/**
 * A step's checkpoint outlives its attempts on this host: the folder of an ended attempt shrinks to it, and the next attempt
 * takes it over. An attempt's folder is `<step's folder>/<attempt>`.
 */
export async function keepCheckpoint(folder: string): Promise<void> {
  const kept = await readdir(path.join(folder, contract.checkpoint)).catch(() => []);
  if (kept.length === 0) {
    await rm(workFile(folder), { force: true });
    return removeTree(folder);
  }
  for (const name of await readdir(folder)) {
    if (name !== contract.checkpoint) await removeTree(path.join(folder, name));
  }
}

/** What an attempt left on this host. */
export type LocalCheckpoint = {
  readonly attempt: number;
  readonly folder: string;
  /** Digest of what the step worked on and with, where it is known. */
  readonly work?: string;
};

/** Beside the attempt's folder, where its program cannot reach it. */
const workFile = (folder: string): string => `${folder}.work`;

/** Notes of what work the attempt's checkpoint is, before there is one. */
export async function noteWork(folder: string, work: string): Promise<void> {
  await writeFile(workFile(folder), work);
}

/** What attempts before this one left, also those whose worker died, of the newest first. */
export async function localCheckpoints(folder: string): Promise<readonly LocalCheckpoint[]> {
  const step = path.dirname(folder);
  const attempts = (await readdir(step).catch(() => []))
    .map(Number)
    .filter((attempt) => attempt < Number(path.basename(folder)));
  const found: LocalCheckpoint[] = [];
  for (const attempt of attempts.sort((a, b) => b - a)) {
    const of = path.join(step, String(attempt));
    const left = path.join(of, contract.checkpoint);
    const files = await readdir(left).catch(() => []);
    if (files.length === 0) continue;
    const work = await readFile(workFile(of), 'utf8').catch(() => '');
    found.push({ attempt, folder: left, ...(work !== '' && { work }) });
  }
  return found;
}

/** Moves it into another attempt's folder. */
export async function takeCheckpoint({ folder: from }: LocalCheckpoint, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await rename(from, path.join(folder, contract.checkpoint));
}

/** When a step has ended nothing of its attempts up to this one is left on this host; a later one may be running already. */
export async function forgetStep(folder: string): Promise<void> {
  const step = path.dirname(folder);
  // `2`, and what lies beside it: `2.pinned`.
  const ended = (await readdir(step).catch(() => [])).filter(
    (name) => Number.parseInt(name, 10) <= Number(path.basename(folder)),
  );
  for (const name of ended) await removeTree(path.join(step, name));
  for (const empty of [step, path.dirname(step)]) await rmdir(empty).catch(() => undefined);
}
