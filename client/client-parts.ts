import type { Config } from '../config/config.js';
import { isMillraceError, NoBuild } from '../sdk/errors.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { BuildRecord, Catalog, RunRecord } from '../store/catalog.js';
import { reconcileRun } from './reconcile.js';
import { isServiceAway } from './temporal-errors.js';
import type { TemporalConnection } from './temporal-connection.js';

/** What every call of a client works with. */
export type ClientParts = {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
  readonly temporal: () => Promise<Pick<TemporalConnection, 'client' | 'service'>>;
};

/** @throws NoBuild */
export async function currentBuild({ catalog, config }: ClientParts): Promise<BuildRecord> {
  const build = await catalog.currentBuild(config.queue);
  if (build) return build;
  throw new NoBuild(`No worker has published a build for the queue \`${config.queue}\`.`, {
    hint: 'Start `millrace dev` or `millrace worker` in the project, and try again.',
  });
}

/** A service that died is asked again and again by its client, for half a minute: who only looks does not wait for that. */
const answerWithinMs = 3_000;

/** Without the service the catalog's rows are all there is to show. */
export async function reconcileAll(
  runs: readonly RunRecord[],
  { temporal, catalog }: ClientParts,
): Promise<void> {
  if (runs.length === 0) return;
  const found = await temporal().catch((error: unknown) => {
    if (isMillraceError(error)) return undefined;
    throw error;
  });
  if (!found) return;
  const { client, service } = found;
  try {
    await client.withDeadline(Date.now() + answerWithinMs, () =>
      Promise.all(runs.map((run) => reconcileRun(run, { temporal: client, service, catalog }))),
    );
  } catch (error) {
    if (!isServiceAway(error)) throw error;
  }
}
