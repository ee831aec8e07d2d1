import { text } from 'node:stream/consumers';
import type { WorkerOptions } from '@temporalio/worker';
import { Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { buildMark, queueDeployment, workflowQueue } from '../sdk/protocol/names.js';
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

/** The workers that replay workflows: one for each build that new runs start on or open runs belong to, and one for each they were moved to. */
export interface BuildWorkers {
  /** Begins to serve what is needed now and lets go of what no run needs any more. */
  refresh(): Promise<void>;
  readonly serving: () => readonly string[];
  /** Begins no worker any more and drains those there are. @returns them */
  drain(): readonly RunningWorker[];
}

export function createBuildWorkers(options: BuildWorkersOptions): BuildWorkers {
  const { catalog, queue, logger } = options;
  const workers = new Map<string, { readonly service: BuildService; readonly worker: RunningWorker }>();
  const draining = new Set<RunningWorker>();
  /** Builds that could not be served, so that each is told of once. */
  const broken = new Set<string>();
  let closed = false;
  let refreshing: Promise<void> = Promise.resolve();

  async function refresh(): Promise<void> {
    const needed = await neededServices(catalog, queue);
    for (const [key, service] of needed) {
      if (closed) return;
      if (workers.has(key)) continue;
      // One that cannot be served, its bundle lost or spoilt, keeps no other from being.
      await serve(key, service).then(
        () => broken.delete(key),
        (error: unknown) => {
          if (!broken.has(key))
            logger.error({ err: error, ...service }, 'a build cannot be served, trying again');
          broken.add(key);
        },
      );
    }
    for (const [key, { service, worker }] of workers) {
      if (needed.has(key)) continue;
      workers.delete(key);
      drain(worker);
      logger.info({ ...service }, 'no open run needs this build any more');
    }
  }

  async function serve(key: string, service: BuildService): Promise<void> {
    const build = await catalog.build(service.build);
    if (!build) throw new NoBuild('A run belongs to a build that the catalog does not have.');
    const worker = await startBuildWorker(build, service, options);
    // It was being made while the host began to stop.
    if (closed) return drain(worker);
    workers.set(key, { service, worker });
    worker.ended.catch((error: unknown) => {
      logger.error({ err: error, ...service }, 'the worker of a build broke; a new one follows');
      workers.delete(key);
    });
    logger.info({ ...service, pipelines: build.pipelines.map(({ name }) => name) }, 'serving build');
  }

  function drain(worker: RunningWorker): void {
    draining.add(worker);
    worker.drain();
    void worker.ended.catch(() => undefined).finally(() => draining.delete(worker));
  }

  return {
    // One after the other: two at once would start two workers for one build.
    refresh: () => (refreshing = refreshing.catch(() => undefined).then(refresh)),
    serving: () => [...new Set([...workers.values()].map(({ service }) => service.build))],
    drain() {
      closed = true;
      for (const { worker } of workers.values()) drain(worker);
      workers.clear();
      return [...draining];
    },
  };
}

/** The code of a build on the queue of one: its own, or that of an earlier one whose runs were moved. */
type BuildService = {
  readonly home: string;
  readonly build: string;
  /** For the runs that are pinned to it; all others of the queue are no version's. */
  readonly versioned: boolean;
};

/** By home, build and kind. */
async function neededServices(catalog: Catalog, queue: string): Promise<ReadonlyMap<string, BuildService>> {
  const current = await catalog.currentBuild(queue);
  const moves = new Map((await catalog.moves.open(queue)).map((move) => [move.run, move]));
  const needed = new Map<string, BuildService>();
  const need = (home: string, build: string, versioned: boolean) =>
    needed.set(`${home} ${build} ${versioned}`, { home, build, versioned });
  if (current) need(current.id, current.id, false);
  for (const { id, build } of await catalog.openRuns(queue)) {
    const move = moves.get(id);
    const home = move?.home ?? build;
    // Also for runs that were moved: what they had given to their own queue before is done there.
    need(home, home, false);
    if (!move) continue;
    // Its own build's version too: a run that was moved goes back to that, and is no version's no more.
    need(home, build, true);
    need(home, move.build, true);
  }
  return needed;
}

async function startBuildWorker(
  build: BuildRecord,
  { home, versioned }: BuildService,
  { workerOptions, queue, store }: BuildWorkersOptions,
): Promise<RunningWorker> {
  const code = await text(await store.read(build.workflowBundle));
  return runWorker(
    await Worker.create({
      ...workerOptions,
      taskQueue: workflowQueue(queue, home),
      workflowBundle: { code: buildMark(build.id) + code },
      ...(versioned && {
        workerDeploymentOptions: {
          version: { deploymentName: queueDeployment(queue, home), buildId: build.id },
          useWorkerVersioning: true,
          defaultVersioningBehavior: 'PINNED',
        },
      }),
    }),
  );
}
