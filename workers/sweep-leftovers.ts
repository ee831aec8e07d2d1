import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { sweep } from '../activities/executors/sweep.js';
import { isClosed } from '../sdk/states.js';
import { removeTree } from '../activities/remove-tree.js';
import type { StepEnvironment } from '../activities/step-environment.js';

/**
 * Removes what workers that died left on this host: containers, processes and secret files of this installation that belong
 * to closed runs or to attempts that others took over, and the folders of closed runs.
 */
export async function sweepLeftovers(
  env: StepEnvironment,
  temporal: Client,
  signal?: AbortSignal,
): Promise<void> {
  await sweep({
    installation: env.installation,
    logger: env.logger,
    ...(signal && { signal }),
    // What another service's worker does on this state directory is not ours to judge.
    isLive: async (run, step, attempt) => (await isForeign(env, run)) || isLive(temporal, run, step, attempt),
  });
  for (const { run, folder } of await env.paths.workFolders()) {
    if (signal?.aborted) return;
    const known = await env.catalog.run(run);
    if (known && isClosed(known.status)) await removeTree(folder);
  }
}

async function isForeign({ catalog, service }: StepEnvironment, run: string): Promise<boolean> {
  const known = await catalog.run(run);
  return known?.service !== undefined && service !== undefined && known.service !== service;
}

/** Temporal's word: the run is open and this attempt of the step is the current one. */
async function isLive(temporal: Client, run: string, step: string, attempt: number): Promise<boolean> {
  try {
    const { status, raw } = await temporal.workflow.getHandle(run).describe();
    if (status.name !== 'RUNNING') return false;
    const pending = raw.pendingActivities?.find(({ activityId }) => activityId === step);
    return pending !== undefined && (pending.attempt ?? 1) <= attempt;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
