import { text } from 'node:stream/consumers';
import type { WorkerOptions } from '@temporalio/worker';
import { Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { workflowQueue } from '../sdk/protocol/names.js';
import { NoBuild } from '../sdk/errors.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { BuildRecord, Catalog } from '../store/catalog.js';
import type { RunningWorker } from './running-worker.js';
import { runWorker } from './running-worker.js';

export type BuildWorkersOptions = {
  /** What every worker of the host shares. */
  readonly workerOptions: Omit<WorkerOptions, 'taskQueue'>;
  readonly queue: string;
  readonly store: ArtifactStore;
  readonly catalog: Catalog;
  readonly logger: Logger;
};

/** The workers that replay workflows: one for each build that new runs start on or open runs belong to. */
export interface BuildWorkers {
  /** Begins to serve what is needed now and lets go of what no run needs any more. */
  refresh(): Promise<void>;
  readonly serving: () => readonly string[];
  /** Begins no worker any more and drains those there are. @returns them */
  drain(): readonly RunningWorker[];
}

export function createBuildWorkers(options: BuildWorkersOptions): BuildWorkers {
  const { catalog, queue, logger } = options;
  const workers = new Map<string, RunningWorker>();
  const draining = new Set<RunningWorker>();
  /** Builds that could not be served, so that each is told of once. */
  const broken = new Set<string>();
  let closed = false;
  let refreshing: Promise<void> = Promise.resolve();

  async function refresh(): Promise<void> {
    const needed = await neededBuilds(catalog, queue);
    for (const id of needed) {
      if (closed) return;
      if (workers.has(id)) continue;
      // One that cannot be served, its bundle lost or spoilt, keeps no other from being.
      await serve(id).then(
        () => broken.delete(id),
        (error: unknown) => {
          if (!broken.has(id))
            logger.error({ err: error, build: id }, 'a build cannot be served, trying again');
          broken.add(id);
        },
      );
    }
    for (const [id, worker] of workers) {
      if (needed.has(id)) continue;
      workers.delete(id);
      drain(worker);
      logger.info({ build: id }, 'no open run needs this build any more');
    }
  }

  async function serve(id: string): Promise<void> {
    const build = await catalog.build(id);
    if (!build) throw new NoBuild('A run belongs to a build that the catalog does not have.');
    const worker = await startBuildWorker(build, options);
    // It was being made while the host began to stop.
    if (closed) return drain(worker);
    workers.set(id, worker);
    worker.ended.catch((error: unknown) => {
      logger.error({ err: error, build: id }, 'the worker of a build broke; a new one follows');
      workers.delete(id);
    });
    logger.info({ build: id, pipelines: build.pipelines.map(({ name }) => name) }, 'serving build');
  }

  function drain(worker: RunningWorker): void {
    draining.add(worker);
    worker.drain();
    void worker.ended.catch(() => undefined).finally(() => draining.delete(worker));
  }

  return {
    // One after the other: two at once would start two workers for one build.
    refresh: () => (refreshing = refreshing.catch(() => undefined).then(refresh)),
    serving: () => [...workers.keys()],
    drain() {
      closed = true;
      for (const worker of workers.values()) drain(worker);
      workers.clear();
      return [...draining];
    },
  };
}

async function neededBuilds(catalog: Catalog, queue: string): Promise<ReadonlySet<string>> {
  const current = await catalog.currentBuild(queue);
  const open = await catalog.openRuns(queue);
  return new Set([...(current ? [current.id] : []), ...open.map(({ build }) => build)]);
}

async function startBuildWorker(
  build: BuildRecord,
  { workerOptions, queue, store }: BuildWorkersOptions,
): Promise<RunningWorker> {
  const code = await text(await store.read(build.workflowBundle));
  return runWorker(
    await Worker.create({
      ...workerOptions,
      taskQueue: workflowQueue(queue, build.id),
      workflowBundle: { code },
    }),
  );
}
