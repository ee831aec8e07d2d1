import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { isGrpcServiceError } from '@temporalio/client';
import { reconcileRun } from '../../client/reconcile.js';
import { isServiceAway, serviceError } from '../../client/temporal-errors.js';
import { grpcCode, grpcStatus } from '../../client/temporal-unavailable.js';
import { InfrastructureFailed } from '../../sdk/errors.js';
import { queueDeployment, workflowQueue } from '../../sdk/protocol/names.js';
import { isClosed } from '../../sdk/states.js';
import type { RunRecord } from '../../store/catalog.js';
import type { RunMove } from '../../store/moves.js';
import type { DebugEnvironment } from '../debug-environment.js';
import type { CheckBuild } from './build-aside.js';
import type { Divergence } from './divergence.js';
import { replayRuns } from './replay-run.js';

/** What came of moving a run. */
export type RunMoved =
  | { readonly moved: true }
  /** It stays where it was; why, in a sentence. */
  | { readonly moved: false; readonly reason: string; readonly divergence?: Divergence };

export type MoveOptions = {
  readonly build: CheckBuild;
  readonly env: DebugEnvironment;
  /** How long workers may take to serve the build on the runs' queues, ms. Default 60 s. */
  readonly withinMs?: number;
};

type Moving = { readonly run: RunRecord; readonly move: RunMove; readonly former: RunMove | undefined };

/**
 * Moves runs, whose histories replay on it, to a build: workers serve their queues with its code too, and the service pins each run
 * to it. From that moment no worker of the old code can take the run on, so it is replayed once more: one that went on meanwhile, and
 * does not fit any more, goes back.
 */
export async function* moveRuns(
  runs: readonly RunRecord[],
  options: MoveOptions,
): AsyncIterable<readonly [run: string, RunMoved]> {
  const { build, env } = options;
  const { client } = await env.temporal();
  const at = new Date().toISOString();
  const moving: Moving[] = [];
  for (const run of runs) {
    const former = await env.catalog.moves.of(run.id);
    const home = former?.home ?? run.build;
    moving.push({ run, former, move: { run: run.id, home, build: build.record.id, at } });
  }
  await env.catalog.moves.begin(
    build.record,
    moving.map(({ move }) => move),
  );
  const served = new Map<string, boolean>();
  const open = new Set(moving);
  try {
    for (const each of moving) {
      const { home } = each.move;
      if (!served.has(home)) served.set(home, await isServed(each.move, { client, ...options }));
      const end = served.get(home) ? await moveOne(each, { client, ...options }) : unserved;
      if (!end.moved) await giveUp(each, env);
      open.delete(each);
      yield [each.run.id, end];
    }
  } finally {
    for (const each of open) await giveUp(each, env);
  }
}

const unserved: RunMoved = {
  moved: false,
  reason: 'No worker serves its queue with the new code: start one, and check again.',
};

const ended: RunMoved = { moved: false, reason: 'It has just ended.' };

type Parts = MoveOptions & { readonly client: Client };

async function moveOne(each: Moving, parts: Parts): Promise<RunMoved> {
  const { env, client } = parts;
  const { run } = each;
  try {
    await pin(each.move, parts);
  } catch (error) {
    if (grpcStatus(error) === grpcCode.notFound) return ended;
    throw movingError(error);
  }
  await untilAnswered(run.id, client);
  for await (const { divergence } of replayRuns([run], { build: parts.build, client, store: env.store })) {
    if (!divergence) continue;
    await goBack(each, parts);
    return { moved: false, reason: 'It went on meanwhile, and does not fit any more.', divergence };
  }
  const { service } = await env.temporal();
  await reconcileRun(run, { temporal: client, service, catalog: env.catalog });
  const now = await env.catalog.run(run.id);
  if (now && isClosed(now.status)) return ended;
  if (now?.build === parts.build.record.id) return { moved: true };
  return { moved: false, reason: 'The service did not take it on.' };
}

/** Takes the notes back; who served the queue for this run alone lets go of it. */
async function giveUp({ run, former }: Moving, { catalog }: DebugEnvironment): Promise<void> {
  await (former ? catalog.moves.add(former) : catalog.moves.remove(run.id));
}

async function goBack(each: Moving, parts: Parts): Promise<void> {
  const { run, former, move } = each;
  const back = former && run.build === former.build ? former : undefined;
  await pin({ ...move, build: back?.build }, parts);
  await parts.env.catalog.updateRun({ id: run.id, build: run.build });
}

/** @param move.build undefined: the code of the queue's own build */
async function pin(
  { run, home, build }: Pick<RunMove, 'run' | 'home'> & { readonly build: string | undefined },
  { client: { workflowService, options }, env }: Parts,
): Promise<void> {
  const deploymentName = queueDeployment(env.config.queue, home);
  await workflowService.updateWorkflowExecutionOptions({
    namespace: options.namespace,
    workflowExecution: { workflowId: run },
    workflowExecutionOptions:
      build === undefined
        ? {}
        : {
            versioningOverride: { pinned: { version: { deploymentName, buildId: build }, behavior: pinned } },
          },
    updateMask: { paths: ['versioning_override'] },
  });
}

/** A service that is away, or one that does not know of worker deployments. */
const movingError = (error: unknown): unknown =>
  isServiceAway(error) || !isGrpcServiceError(error)
    ? serviceError(error)
    : new InfrastructureFailed(`The Temporal service moves no runs: ${error.details || error.message}.`, {
        hint: 'Moving needs worker deployment versions: a server from 1.28 on with them enabled. Without --move nothing else does.',
        cause: error,
      });

/** PINNED_OVERRIDE_BEHAVIOR_PINNED of the service's API. */
const pinned = 1;

const lookEveryMs = 500;

/** Whether a worker has asked for tasks of the home's queue as the new version. */
async function isServed(
  { home, build }: RunMove,
  { client: { workflowService, options }, env, withinMs = 60_000 }: Parts,
): Promise<boolean> {
  const { queue } = env.config;
  const deploymentVersion = { deploymentName: queueDeployment(queue, home), buildId: build };
  for (const end = performance.now() + withinMs; performance.now() < end; await pause(lookEveryMs)) {
    try {
      const { namespace } = options;
      const { versionTaskQueues } = await workflowService.describeWorkerDeploymentVersion({
        namespace,
        deploymentVersion,
      });
      if (versionTaskQueues.some(({ name }) => name === workflowQueue(queue, home))) return true;
    } catch (error) {
      if (grpcStatus(error) !== grpcCode.notFound) throw movingError(error);
    }
  }
  return false;
}

/** Longer than a workflow task may take before it is given to another worker. */
const longestTaskMs = 15_000;
/** PENDING_WORKFLOW_TASK_STATE_STARTED of the service's API. */
const taskStarted = 2;

/** A worker of the old code may have a task of the run from before: what it answers still counts. */
async function untilAnswered(run: string, client: Client): Promise<void> {
  for (const end = performance.now() + longestTaskMs; performance.now() < end; await pause(200)) {
    const { raw } = await client.workflow.getHandle(run).describe();
    if (raw.pendingWorkflowTask?.state !== taskStarted) return;
  }
}
