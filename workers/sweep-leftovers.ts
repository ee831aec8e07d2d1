import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { sweep } from '../activities/executors/sweep.js';
import type { StepEnvironment } from '../activities/step-environment.js';

/** Removes containers of this installation that belong to closed runs or to attempts that others took over. */
export async function sweepLeftovers(env: StepEnvironment, temporal: Client): Promise<void> {
  if ((await env.docker.unavailable()) !== undefined) return;
  await sweep({
    installation: env.installation,
    logger: env.logger,
    isLive: (run, step, attempt) => isLive(temporal, run, step, attempt),
  });
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
