import type { WorkflowExecutionDescription } from '@temporalio/client';
import { queueDeployment, workflowQueue } from '../sdk/protocol/names.js';
import type { Catalog, RunRecord } from '../store/catalog.js';

/**
 * Notes which build's code serves an open run, as the service has it: that of its queue, or the one it is pinned to since it was
 * moved.
 */
export async function projectMove(
  run: RunRecord,
  described: WorkflowExecutionDescription,
  catalog: Catalog,
): Promise<void> {
  const serving = servingBuild(run, described);
  if (!serving) return;
  const { home, build, pinned } = serving;
  const noted = pinned ? await catalog.moves.of(run.id) : undefined;
  // Workers serve what is noted: without it nobody would serve the run.
  if (pinned && !noted) await catalog.moves.add({ run: run.id, home, build, at: new Date().toISOString() });
  if (build === run.build) return;
  // The same for everyone who sees it: it is told once.
  const at = (noted ?? (await catalog.moves.of(run.id)))?.at ?? new Date().toISOString();
  await catalog.updateRun({ id: run.id, build });
  await catalog.project({
    timeline: [
      {
        run: run.id,
        path: '',
        attempt: 0,
        at,
        kind: 'moved',
        text: `goes on with the code of build ${build} instead of ${run.build}`,
        data: { from: run.build, to: build },
      },
    ],
  });
}

type Serving = {
  /** The build whose queue it lives on. */
  readonly home: string;
  readonly build: string;
  /** Whether workers of a version serve it, and not those of its queue. */
  readonly pinned: boolean;
};

function servingBuild({ queue }: RunRecord, { raw }: WorkflowExecutionDescription): Serving | undefined {
  const prefix = workflowQueue(queue, '');
  const { taskQueue, versioningInfo } = raw.workflowExecutionInfo ?? {};
  if (!taskQueue?.startsWith(prefix)) return undefined;
  const home = taskQueue.slice(prefix.length);
  const { versioningOverride, deploymentVersion } = versioningInfo ?? {};
  const version = versioningOverride?.pinned?.version ?? deploymentVersion;
  const ours = version?.deploymentName === queueDeployment(queue, home);
  return ours && version.buildId
    ? { home, build: version.buildId, pinned: true }
    : { home, build: home, pinned: false };
}
