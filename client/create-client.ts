import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import type { ArtifactKind, ArtifactRef } from '../sdk/artifact.js';
import { InvalidInput, UnknownModel } from '../sdk/errors.js';
import type { AnyPipeline } from '../sdk/pipeline.js';
import { openArtifactStore } from '../store/open-artifact-store.js';
import { openCatalog } from '../store/open-catalog.js';
import { cacheWhy } from './cache-why.js';
import { valuesByReference } from '../store/values-by-reference.js';
import { findNode } from '../lineage/find-node.js';
import { traceLineage } from '../lineage/trace-lineage.js';
import type { MillraceClient, StartOptions } from './client.js';
import type { ClientParts } from './client-parts.js';
import { currentBuild } from './client-parts.js';
import { listRuns } from './list-runs.js';
import { diffRuns } from './diff-runs.js';
import { dryRun } from './dry-run.js';
import { listArtifacts, readArtifact, viewArtifact } from './artifact-views.js';
import { verifyArtifacts } from './verify-artifacts.js';
import { removeGarbage } from './remove-garbage.js';
import { recoverRun } from './recover/recover-run.js';
import { runHandle } from './run-handle.js';
import { startRun } from './start-run.js';
import { connectTemporal } from './temporal-connection.js';

export type ClientOptions = {
  /** Default: read from millrace.config.ts and the environment. */
  readonly config?: Config;
  /** host:port of the service. Default: the config's, else the embedded service of the state directory. */
  readonly address?: string;
};

/**
 * Opens a client: catalog and artifact store at once, the service when a call needs it.
 * @throws ConfigInvalid; calls throw TemporalUnavailable
 */
export async function createClient(options: ClientOptions = {}): Promise<MillraceClient> {
  const config = options.config ?? (await loadConfig());
  const store = await openArtifactStore(config.store, config);
  const catalog = valuesByReference(await openCatalog(config.catalog), store);
  let connection: ReturnType<typeof connectTemporal> | undefined;
  const temporal: ClientParts['temporal'] = () => {
    connection ??= connectTemporal(config, {
      values: { store, catalog },
      ...(options.address !== undefined && { address: options.address }),
    });
    connection.catch(() => {
      connection = undefined;
    });
    return connection;
  };
  const parts: ClientParts = { config, catalog, store, temporal };

  return {
    async start(pipeline: AnyPipeline | string, input: unknown, startOptions: StartOptions = {}) {
      return startRun(parts, pipeline, input, startOptions);
    },
    recover: (run, recoverOptions = {}) => recoverRun(parts, run, recoverOptions),
    dryRun: (pipeline, input) => dryRun(parts, pipeline, input),
    run: (id) => runHandle(id, parts),
    runs: (filter = {}) => listRuns(parts, filter),
    async upload<K extends ArtifactKind = 'dataset'>(file: string, { kind }: { readonly kind?: K } = {}) {
      // A link to a file is what a person names; links inside a folder are another matter.
      const stored = await store.put(await realpath(file).catch(() => path.resolve(file)));
      return { $artifact: kind ?? 'dataset', ...stored, name: path.basename(file) } as ArtifactRef<K>;
    },
    download: (artifact, target) => store.place(artifact, path.resolve(target), { mode: 'copy' }),
    artifacts: (filter = {}) => listArtifacts(parts, filter),
    artifact: (digest) => viewArtifact(parts, digest),
    readArtifact: (digest, inner) => readArtifact(parts, digest, inner),
    verifyArtifacts: (options = {}) => verifyArtifacts(parts, options),
    collectGarbage: (options) => removeGarbage(parts, options),
    models: () => catalog.models(),
    async model(name) {
      const model = await catalog.model(name);
      if (!model)
        throw new UnknownModel(`There is no model \`${name}\`.`, { hint: 'See `millrace models`.' });
      return model;
    },
    lineage: async (what, options = {}) =>
      traceLineage(await findNode(what, catalog), { catalog, ...options }),
    diff: (a, b) => diffRuns(a, b, catalog),
    currentBuild: () => currentBuild(parts),
    cache: {
      entries: (filter = {}) => catalog.cache.entries(filter),
      why: (run, path) => cacheWhy({ run, path }, { catalog, store }),
      async evict(filter) {
        if (Object.values(filter).every((value) => value === undefined))
          throw new InvalidInput('Nothing says which cached results to let go of.', {
            hint: 'Give a key, a step, a run or a time.',
          });
        return catalog.cache.evict(filter);
      },
    },
    async [Symbol.asyncDispose]() {
      await (await connection?.catch(() => undefined))?.connection.close();
      await catalog[Symbol.asyncDispose]();
    },
  };
}
