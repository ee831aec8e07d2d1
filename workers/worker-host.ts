import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { heartbeatMs } from '../activities/heartbeat-interval.js';
import { createOwnActivities } from '../activities/own-activities.js';
import { createRunStep } from '../activities/run-step.js';
import { placedError, temporalFailure } from '../activities/failures.js';
import type { ReconcileOptions } from '../client/reconcile.js';
import { reconcileRun } from '../client/reconcile.js';
import { ensureSearchAttributes } from '../client/search-attributes.js';
import { connectTemporal, transportOptions } from '../client/temporal-connection.js';
import { valueStorage } from '../client/value-storage.js';
import type { Config } from '../config/config.js';
import { isMillraceError } from '../sdk/errors.js';
import { hostQueue, stepQueue } from '../sdk/protocol/names.js';
import type { BuildRecord } from '../store/catalog.js';
import { openArtifactStore } from '../store/open-artifact-store.js';
import { openCatalog } from '../store/open-catalog.js';
import { valuesByReference } from '../store/values-by-reference.js';
import { buildProject } from './build/build-project.js';
import { watchProject } from './build/watch-project.js';
import { createBuildWorkers } from './build-workers.js';
import { outboxSenders } from './outbox-senders.js';
import { repeat } from './repeat.js';
import type { Releasers } from './releasers.js';
import { createReleasers } from './releasers.js';
import { runWorker } from './running-worker.js';
import { stepEnvironment } from './step-environment.js';
import { sweepLeftovers } from './sweep-leftovers.js';
import { installTemporalRuntime } from './temporal-logger.js';

export type WorkerHostOptions = {
  readonly config: Config;
  /** host:port of the Temporal service. */
  readonly address: string;
  readonly logger: Logger;
  /** `once` (default) builds the project at the start; `watch` again on each change; `none` serves builds of others. */
  readonly build?: 'once' | 'watch' | 'none';
  /** Called after each new build and each first good one after a failure; with the error when one failed: the worker then goes on with the last good one. */
  readonly onBuild?: (result: { readonly build: BuildRecord } | { readonly error: unknown }) => void;
};

export interface WorkerHost extends AsyncDisposable {
  /** The build that new runs start on. */
  readonly build: () => BuildRecord | undefined;
  /** Takes no more tasks, lets steps end within the grace time, then cancels them: another worker makes a new attempt. */
  stop(): Promise<void>;
  /** Settles when the host has ended; rejects when a worker of it broke. */
  readonly stopped: Promise<void>;
}

const reconcileMs = 3_000;
const sweepMs = 20_000;
/** Says that this host lives. */
const beatMs = 5_000;

/**
 * Runs a worker host: builds the project, serves its workflows and steps, keeps the catalog true.
 * @throws TemporalUnavailable, ConfigInvalid, and what `buildProject` throws when the first build fails
 */
export async function startWorkerHost(options: WorkerHostOptions): Promise<WorkerHost> {
  const releasers = createReleasers();
  try {
    return await start(options, releasers);
  } catch (error) {
    await releasers.release();
    throw error;
  }
}

async function start(options: WorkerHostOptions, releasers: Releasers): Promise<WorkerHost> {
  const { config, address, logger, build = 'once', onBuild } = options;
  // Containers run as another user than root: a stricter mask would hide their input from them. Secrets set modes of their own.
  if (process.getuid?.() === 0) process.umask(0o022);
  installTemporalRuntime(logger);
  const store = await openArtifactStore(config.store, config);
  const catalog = releasers.use(valuesByReference(await openCatalog(config.catalog), store));
  const temporal = await connectTemporal(config, { address, values: { store, catalog } });
  releasers.defer(() => temporal.connection.close());
  const draining = new AbortController();
  // Each attempt listens to it.
  setMaxListeners(0, draining.signal);
  const env = stepEnvironment({
    config,
    service: temporal.service,
    store,
    catalog,
    logger,
    draining: draining.signal,
  });
  // Released after all work is recorded: what it told of is sent while there is time.
  releasers.use(await outboxSenders({ config, env }));
  releasers.use(env.projector);
  const warning = await ensureSearchAttributes(temporal.connection, config.temporal.namespace);
  if (warning !== undefined) logger.warn(warning);
  const connection = await NativeConnection.connect(transportOptions(config, address));
  releasers.defer(() => connection.close());

  const { namespace } = config.temporal;
  const workerOptions = {
    connection,
    namespace,
    activities: { ...createOwnActivities(env), default: createRunStep(env) },
    dataConverter: { externalStorage: valueStorage({ store, catalog, failure: valueFailure }) },
    // Steps that wait for room hold a slot: admission decides what runs.
    maxConcurrentActivityTaskExecutions: 200,
    shutdownGraceTime: config.worker.shutdownGraceMs,
    // After that the process need not wait for a step that does not listen: another worker makes a new attempt.
    shutdownForceTime: config.worker.shutdownGraceMs + 30_000,
    maxHeartbeatThrottleInterval: heartbeatMs,
    defaultHeartbeatThrottleInterval: heartbeatMs,
  } as const;
  const builds = createBuildWorkers({ workerOptions, queue: config.queue, store, catalog, logger });

  let current: BuildRecord | undefined;
  let broken = false;
  const rebuild = async () => {
    const { projectDir, queue, cache } = config;
    const made = await buildProject({ projectDir, queue, store, catalog, cache });
    const news = broken || made.record.id !== current?.id;
    broken = false;
    current = made.record;
    await builds.refresh();
    if (news) onBuild?.({ build: made.record });
    return made.watched;
  };
  const watched = build === 'none' ? [] : await rebuild();
  await builds.refresh();
  const steps = runWorker(await Worker.create({ ...workerOptions, taskQueue: stepQueue(config.queue) }));
  // What this host began and nobody watches any more comes back to it first.
  const own = runWorker(
    await Worker.create({
      ...workerOptions,
      taskQueue: hostQueue(config.queue, config.installation),
      maxConcurrentActivityTaskPolls: 2,
    }),
  );

  const keepOnError = (error: unknown): undefined => {
    broken = true;
    onBuild?.({ error });
  };
  const background = createReleasers();
  if (build === 'watch')
    background.use(watchProject(config.projectDir, watched, () => rebuild().catch(keepOnError)));
  const refresh = () =>
    reconcileOpenRuns(config.queue, {
      catalog,
      temporal: temporal.client,
      service: temporal.service,
      logger,
    }).then(builds.refresh);
  background.use(repeat(reconcileMs, refresh, logger));
  const beat = (gone: boolean) =>
    catalog.hosts.beat({
      id: config.installation,
      queue: config.queue,
      name: hostname(),
      seenAt: new Date().toISOString(),
      gone,
    });
  background.use(repeat(beatMs, () => beat(false), logger));
  background.use(repeat(sweepMs, (signal) => sweepLeftovers(env, temporal.client, signal), logger));

  const stop = stopOnce(async () => {
    // First the workers: what goes on in the background may wait for an engine that does not answer. Then what they work with.
    draining.abort();
    steps.drain();
    own.drain();
    const workers = [steps, own, ...builds.drain()];
    const idle = background.release();
    await Promise.allSettled([...workers.map(({ ended }) => ended), idle]);
    // A build whose worker was being made just then.
    await Promise.allSettled(builds.drain().map(({ ended }) => ended));
    if (config.worker.onStop === 'stop') await beat(true).catch(() => undefined);
    await releasers.release();
  });
  const stopped = Promise.all([steps.ended, own.ended]).then(stop, async (error: unknown) => {
    await stop();
    throw error;
  });
  stopped.catch(() => undefined);
  logger.info(
    { queue: config.queue, address, build: current?.id, ...env.admission.capacity },
    'worker started',
  );
  return { build: () => current, stop, stopped, [Symbol.asyncDispose]: stop };
}

/** What is thrown beside an activity's own code is Temporal's to pass on. */
const valueFailure = (error: unknown) => temporalFailure(placedError(error, {}));

function stopOnce(stop: () => Promise<void>): () => Promise<void> {
  let stopping: Promise<void> | undefined;
  return () => (stopping ??= stop());
}

async function reconcileOpenRuns(
  queue: string,
  { logger, ...options }: ReconcileOptions & { readonly logger: Logger },
): Promise<void> {
  for (const run of await options.catalog.openRuns(queue)) {
    try {
      await reconcileRun(run, options);
    } catch (error) {
      if (!isMillraceError(error)) logger.warn({ err: error, run: run.id }, 'could not reconcile the run');
    }
  }
}
