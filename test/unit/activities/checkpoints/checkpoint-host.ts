import { mkdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { noteWork } from '../../../../activities/carry-checkpoint.js';
import type { CheckpointPlace } from '../../../../activities/checkpoints/checkpoint-place.js';
import { createProjector } from '../../../../activities/projector.js';
import { statePaths } from '../../../../config/state-paths.js';
import type { ArtifactStore } from '../../../../store/artifact-store.js';
import type { Catalog } from '../../../../store/catalog.js';
import { openArtifactStore } from '../../../../store/open-artifact-store.js';
import { openCatalog } from '../../../../store/open-catalog.js';
import { releaseAtEnd } from '../../../support/release-at-end.js';
import { temporaryFolder } from '../../../support/temporary-folder.js';
import { aRun, digest } from '../../store/records.js';

export type Shared = { readonly store: ArtifactStore; readonly catalog: Catalog };

/** What hosts share. */
export async function openShared(): Promise<Shared & { readonly folder: string }> {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${folder}/store`);
  const catalog = await openCatalog(`sqlite:${folder}/catalog.db`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  await catalog.insertRun(aRun());
  return { folder, store, catalog };
}

/** A host with a state directory of its own. */
export async function openHost({ store, catalog }: Shared) {
  const paths = statePaths(await temporaryFolder());
  const logger = pino({ level: 'silent' });
  const env = { store, catalog, logger, projector: createProjector(catalog, { logger }) };
  releaseAtEnd(() => env.projector[Symbol.asyncDispose]());
  /** A step's folder while an attempt runs. */
  const place = async (attempt = 1, step = 'train', work = digest('1')): Promise<CheckpointPlace> => {
    const folder = paths.attempt('run-1', step, attempt);
    await mkdir(folder, { recursive: true });
    await noteWork(folder, work);
    return { run: 'run-1', path: step, attempt, work, folder, env };
  };
  const timeline = async () => {
    await env.projector.flush();
    return (await catalog.timeline('run-1')).map(({ kind, attempt, text }) => `${attempt} ${kind}: ${text}`);
  };
  return { env, place, timeline };
}

let minute = 0;
/** Writes files of a checkpoint, as if that was a while ago. */
export async function write(
  { folder }: Pick<CheckpointPlace, 'folder'>,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const then = new Date(Date.UTC(2026, 0, 1, 0, ++minute));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, 'checkpoint', name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    await utimes(file, then, then);
  }
}
