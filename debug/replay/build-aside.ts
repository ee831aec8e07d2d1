import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { removeTree } from '../../activities/remove-tree.js';
import type { Config } from '../../config/config.js';
import type { ArtifactStore } from '../../store/artifact-store.js';
import type { BuildRecord } from '../../store/catalog.js';
import { openArtifactStore } from '../../store/open-artifact-store.js';
import { openCatalog } from '../../store/open-catalog.js';
import { buildProject } from '../../workers/build/build-project.js';
import type { DebugEnvironment } from '../debug-environment.js';

/** A build that runs are replayed on; what is made for that alone is gone with dispose. */
export type CheckBuild = AsyncDisposable & {
  readonly record: BuildRecord;
  /** What workers would replay. */
  readonly workflowCode: string;
  /** Holds its content. */
  readonly store: ArtifactStore;
};

/** Builds the project as a worker would, into stores that are thrown away: nothing is published. @throws as buildProject */
export async function buildAside({ projectDir, queue, cache }: Config): Promise<CheckBuild> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-aside-'));
  const dispose = () => removeTree(folder);
  try {
    const store = await openArtifactStore(`file:${path.join(folder, 'artifacts')}`);
    await using catalog = await openCatalog(`sqlite:${path.join(folder, 'catalog.db')}`);
    const { record } = await buildProject({ projectDir, queue, store, catalog, cache });
    const workflowCode = await text(await store.read(record.workflowBundle));
    return { record, workflowCode, store, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Builds the project and stores its content where workers find it, so that runs can go on with it. New runs do not start on it. */
export async function buildToKeep({
  config: { projectDir, queue, cache },
  store,
  catalog,
}: Pick<DebugEnvironment, 'config' | 'store' | 'catalog'>): Promise<CheckBuild> {
  const { record } = await buildProject({ projectDir, queue, store, catalog, cache, publish: false });
  const workflowCode = await text(await store.read(record.workflowBundle));
  return { record, workflowCode, store, [Symbol.asyncDispose]: () => Promise.resolve() };
}
