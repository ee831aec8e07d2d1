import { createDockerExecutor } from '../activities/executors/docker-executor.js';
import type { Executor, ImageResolver } from '../activities/executors/executor.js';
import { createProcessExecutor } from '../activities/executors/process-executor.js';
import type { PlacedContent } from '../activities/placed-content.js';
import { placedContent } from '../activities/placed-content.js';
import type { SecretSource } from '../activities/secrets.js';
import { hostSecrets } from '../activities/secrets.js';
import type { TemporalConnection } from '../client/temporal-connection.js';
import { connectTemporal } from '../client/temporal-connection.js';
import type { Config } from '../config/config.js';
import type { StatePaths } from '../config/state-paths.js';
import { statePaths } from '../config/state-paths.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { Catalog } from '../store/catalog.js';
import { openArtifactStore } from '../store/open-artifact-store.js';
import { openCatalog } from '../store/open-catalog.js';

/** What trying a step on this host works with: what a worker here would have, without the service. */
export type DebugEnvironment = {
  readonly config: Config;
  readonly paths: StatePaths;
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
  readonly placed: PlacedContent;
  readonly secrets: SecretSource;
  readonly docker: Executor & ImageResolver;
  readonly process: Executor;
  /** Connects when it is first asked for. @throws TemporalUnavailable */
  readonly temporal: () => Promise<TemporalConnection>;
};

/**
 * @param address host:port of the service, where it is another than the configuration says
 * @throws ConfigInvalid, InfrastructureFailed
 */
export async function openDebugEnvironment(
  config: Config,
  address?: string,
): Promise<DebugEnvironment & AsyncDisposable> {
  const paths = statePaths(config.stateDir);
  const store = await openArtifactStore(config.store, config);
  const catalog = await openCatalog(config.catalog);
  let connection: Promise<TemporalConnection> | undefined;
  return {
    config,
    paths,
    catalog,
    store,
    placed: placedContent(store, paths),
    secrets: hostSecrets(config.secrets),
    docker: createDockerExecutor(),
    process: createProcessExecutor(),
    temporal: () =>
      (connection ??= connectTemporal(config, {
        values: { store, catalog },
        ...(address !== undefined && { address }),
      })),
    async [Symbol.asyncDispose]() {
      await (await connection?.catch(() => undefined))?.[Symbol.asyncDispose]();
      await catalog[Symbol.asyncDispose]();
    },
  };
}
