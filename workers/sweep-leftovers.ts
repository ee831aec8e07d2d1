import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { heartbeatOf } from '../client/heartbeat-of.js';
import { keepOutput } from '../activities/executors/keep-output.js';
import { sweep } from '../activities/executors/sweep.js';
import { deliveryPlace } from '../sdk/protocol/activity-id.js';
import { isClosed, isStepClosed } from '../sdk/states.js';
import { sweepSessions } from '../activities/sessions.js';
import { storeLeftLogs } from '../activities/logs/unstored-logs.js';
import { removeTree } from '../activities/remove-tree.js';
import type { StepEnvironment } from '../activities/step-environment.js';
import type { PendingAttempt } from './live-attempt.js';
import { isLiveAttempt } from './live-attempt.js';

/**
 * Removes what workers that died left on this host: containers, processes and secret files of this installation that belong
 * to closed runs or to attempts that others took over, what people tried beside them, and the folders of closed runs; stores logs they left.
 */
export async function sweepLeftovers(
  env: StepEnvironment,
  temporal: Client,
  signal?: AbortSignal,
): Promise<void> {
  await sweep({
    installation: env.installation,
    logger: env.logger,
    beforeRemoval: keepOutput(env.paths),
    ...(signal && { signal }),
    // What another service's worker does on this state directory is not ours to judge.
    isLive: async (run, step, attempt) =>
      (await isForeign(env, run)) || isLive(env, temporal, { run, step, attempt }),
  });
  await sweepSessions(env.paths, { logger: env.logger, ...(signal && { signal }) });
  for (const { run, folder } of await env.paths.workFolders()) {
    if (signal?.aborted) return;
    const known = await env.catalog.run(run);
    if (known && isClosed(known.status)) await removeTree(folder);
  }
  await storeLeftLogs(env, signal);
}

async function isForeign({ catalog, service }: StepEnvironment, run: string): Promise<boolean> {
  const known = await catalog.run(run);
  return known?.service !== undefined && service !== undefined && known.service !== service;
}

async function isLive(
  { catalog, installation }: StepEnvironment,
  temporal: Client,
  { run, step, attempt }: { readonly run: string; readonly step: string; readonly attempt: number },
): Promise<boolean> {
  const pending = await pendingAttempt(temporal, run, step);
  if (pending === 'closed') return false;
  const row = (await catalog.attempts(run, step)).find((each) => each.attempt === attempt);
  const steps = await catalog.steps(run);
  const stepClosed = steps.some(({ path, status }) => path === step && isStepClosed(status));
  return isLiveAttempt({ attempt, installation, pending, row, stepClosed });
}

/** Temporal's word of a step; `closed` of a run that is over. */
async function pendingAttempt(
  temporal: Client,
  run: string,
  step: string,
): Promise<PendingAttempt | 'closed' | undefined> {
  try {
    const { status, raw } = await temporal.workflow.getHandle(run).describe();
    if (status.name !== 'RUNNING') return 'closed';
    const pending = raw.pendingActivities?.find(
      ({ activityId }) => deliveryPlace(activityId ?? '').path === step,
    );
    if (!pending) return undefined;
    const { attempt } = deliveryPlace(pending.activityId ?? '');
    return { attempt: Math.max(attempt, pending.attempt ?? 1), host: heartbeatOf(pending)?.host };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'closed';
    throw error;
  }
}
