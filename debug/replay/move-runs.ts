import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
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
import { liveContainers } from './live-containers.js';
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

/** What is under way: a run, what is noted of its move, and what was noted before. */
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
  /** Whose pin may stand, whatever became of the move: without a note nobody would serve them. */
  const pinned = new Set<Moving>();
  const parts = { client, pinned, ...options };
  const open = new Set(moving);
  const settle = async (each: Moving) => {
    open.delete(each);
    if (!pinned.has(each)) await env.catalog.moves.takeBack(each.move, each.former);
  };
  try {
    for (const each of moving) {
      const { home } = each.move;
      if (!served.has(home)) served.set(home, await isServed(each.move, parts));
      const end = served.get(home) ? await moveOne(each, parts) : unserved;
      await settle(each);
      yield [each.run.id, end];
    }
  } finally {
    for (const each of open) await settle(each);
  }
}

const unserved: RunMoved = {
  moved: false,
  reason: 'No worker serves its queue with the new code: start one, and check again.',
};

const ended: RunMoved = { moved: false, reason: 'It has just ended.' };

type Parts = MoveOptions & { readonly client: Client; readonly pinned: Set<Moving> };

async function moveOne(each: Moving, parts: Parts): Promise<RunMoved> {
  const { env, client, pinned } = parts;
  const { run, move } = each;
  const reason = await liveContainers(run, { catalog: env.catalog, next: parts.build.record });
  if (reason !== undefined) return { moved: false, reason };
  const target = { deploymentName: queueDeployment(env.config.queue, move.home), buildId: move.build };
  const before = await overrideOf(run.id, client);
  pinned.add(each);
  try {
    await override(run.id, pinTo(target), client);
  } catch (error) {
    if (grpcStatus(error) !== grpcCode.notFound) throw movingError(error);
    pinned.delete(each);
    return ended;
  }
  await untilAnswered(run.id, client);
  for await (const { divergence } of replayRuns([run], { build: parts.build, client, store: env.store })) {
    if (!divergence) continue;
    await goBack(each, { ...parts, target, before });
    return { moved: false, reason: 'It went on meanwhile, and does not fit any more.', divergence };
  }
  const { service } = await env.temporal();
  await reconcileRun(run, { temporal: client, service, catalog: env.catalog });
  const now = await env.catalog.run(run.id);
  if (now && isClosed(now.status)) return ended;
  if (now?.build === parts.build.record.id) return { moved: true };
  return { moved: false, reason: 'The service did not take it on.' };
}

/** Has the run be served as it was before; nothing has come of it meanwhile. One that another has moved since is that one's. */
async function goBack(
  each: Moving,
  { target, before, ...parts }: Parts & { readonly target: Version; readonly before: Override | undefined },
): Promise<void> {
  const { run } = each;
  const now = await overrideOf(run.id, parts.client);
  if (!isDeepStrictEqual(now, pinTo(target))) return;
  await override(run.id, before, parts.client);
  await parts.env.catalog.updateRun({ id: run.id, build: run.build });
  parts.pinned.delete(each);
}

type Version = { readonly deploymentName: string; readonly buildId: string };

/** As the service's API has it. */
type Override =
  | { readonly pinned: { readonly version: Version; readonly behavior: typeof pinnedBehavior } }
  | { readonly autoUpgrade: true };

const pinTo = (version: Version): Override => ({ pinned: { version, behavior: pinnedBehavior } });

/** What a run is pinned to; undefined where nobody said so. */
async function overrideOf(run: string, client: Client): Promise<Override | undefined> {
  const { raw } = await client.workflow.getHandle(run).describe();
  const { pinned, autoUpgrade } = raw.workflowExecutionInfo?.versioningInfo?.versioningOverride ?? {};
  if (!pinned?.version) return autoUpgrade ? { autoUpgrade } : undefined;
  const { deploymentName, buildId } = pinned.version;
  return pinTo({ deploymentName: deploymentName ?? '', buildId: buildId ?? '' });
}

/** @param versioningOverride undefined: as its workers have it */
async function override(
  run: string,
  versioningOverride: Override | undefined,
  { workflowService, options }: Client,
): Promise<void> {
  await workflowService.updateWorkflowExecutionOptions({
    namespace: options.namespace,
    workflowExecution: { workflowId: run },
    workflowExecutionOptions: versioningOverride ? { versioningOverride } : {},
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
const pinnedBehavior = 1;

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
