import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { createAdmission } from '../activities/admission.js';
import { placedContent } from '../activities/placed-content.js';
import { createDockerExecutor } from '../activities/executors/docker-executor.js';
import { createProcessExecutor } from '../activities/executors/process-executor.js';
import { createProjector } from '../activities/projector.js';
import { hostSecrets } from '../activities/secrets.js';
import type { StepEnvironment } from '../activities/step-environment.js';
import type { Config } from '../config/config.js';
import { statePaths } from '../config/state-paths.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { Catalog } from '../store/catalog.js';

/** Puts together what the activities of this host work with. */
export function stepEnvironment({
  config,
  service,
  store,
  catalog,
  logger,
  draining,
}: {
  readonly config: Config;
  readonly service: string | undefined;
  readonly store: ArtifactStore;
  readonly catalog: Catalog;
  readonly logger: Logger;
  /** Aborts when the worker takes no more work. */
  readonly draining: AbortSignal;
}): StepEnvironment {
  const paths = statePaths(config.stateDir);
  const output = { rate: config.worker.logRate, burst: config.worker.logBurst };
  return {
    installation: config.installation,
    service,
    worker: `${hostname()}:${process.pid}`,
    paths,
    store,
    catalog,
    projector: createProjector(catalog, { logger }),
    placed: placedContent(store, paths),
    admission: createAdmission(config.worker),
    secrets: hostSecrets(config.secrets),
    docker: createDockerExecutor({ output }),
    process: createProcessExecutor({ output }),
    draining,
    onStop: config.worker.onStop,
    executor: config.worker.executor,
    logger,
  };
}
