import { setTimeout as pause } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { isMillraceError, NoBuild } from '../sdk/errors.js';
import { PIPELINE } from '../sdk/pipeline.js';
import type { AnyPipeline } from '../sdk/pipeline.js';
import type { PlanRequest, RunPlan } from '../sdk/protocol/messages.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type { BuildRecord } from '../store/catalog.js';
import { dryRunWorkflow, workflowQueue } from '../sdk/protocol/names.js';
import type { DryRun } from './client.js';
import type { ClientParts } from './client-parts.js';
import { currentBuild } from './client-parts.js';
import { newRunId } from './run-id.js';
import { accept } from './start-run.js';
import { runError } from './temporal-errors.js';

/** Has a worker check what a start would need, and starts nothing. */
export async function dryRun(
  parts: ClientParts,
  pipeline: AnyPipeline | string,
  input: unknown,
): Promise<DryRun> {
  const name = typeof pipeline === 'string' ? pipeline : pipeline[PIPELINE].name;
  const build = await currentBuild(parts);
  const problems: { code: string; message: string }[] = [];
  const note = (error: unknown) => {
    if (!isMillraceError(error)) throw error;
    problems.push({ code: error.code, message: error.message });
  };
  await accept(parts, pipeline, input).catch(note);
  const names = build.pipelines.find((each) => each.name === name)?.steps ?? [];
  const specs = build.steps.filter((spec) => names.includes(spec.name));
  let plan: RunPlan | undefined;
  if (names.length > 0) {
    plan = await askForPlan(parts, { name, build, specs }).catch(
      (error: unknown) => note(error) ?? undefined,
    );
  }
  return {
    pipeline: name,
    build: build.id,
    problems,
    warnings: plan?.warning === undefined ? [] : [plan.warning],
    steps: specs.map((spec) => {
      const image = plan?.images[spec.name];
      const executor =
        spec.isolation === 'inline' || spec.isolation === 'none'
          ? 'worker'
          : spec.isolation === 'process'
            ? 'process'
            : (plan?.executor ?? 'unknown');
      return {
        name: spec.name,
        executor,
        detail: `${spec.resources.cpus} cpus, ${spec.resources.memory} bytes`,
        ...(image && { image: image.id }),
      };
    }),
  };
}

/**
 * Has a worker of the build plan a run, as one that starts would be.
 * @throws NoBuild when none serves it; what refuses the run
 */
export async function askForPlan(
  { config, temporal }: Pick<ClientParts, 'config' | 'temporal'>,
  {
    name,
    build,
    specs,
  }: { readonly name: string; readonly build: BuildRecord; readonly specs: readonly StepSpec[] },
): Promise<RunPlan> {
  const { client } = await temporal();
  const request: PlanRequest = { specs };
  const queue = workflowQueue(config.queue, build.id);
  try {
    await requireWorker(client, queue);
    const handle = await client.workflow.start<DryRunWorkflow>(dryRunWorkflow, {
      workflowId: newRunId(`dry-run-${name}`),
      taskQueue: queue,
      args: [request],
      // A worker that dies meanwhile must not hold the caller for ever; pulling an image may take long.
      workflowExecutionTimeout: '30 minutes',
    });
    return await resultOnceTaken(handle);
  } catch (error) {
    throw runError(error, 'dry-run');
  }
}

type DryRunWorkflow = (request: PlanRequest) => Promise<RunPlan>;

/** A worker that lives takes a task at once, a busy one within seconds. */
const takenWithinMs = 10_000;

/** @throws NoBuild when no worker takes the first task: who asked for tasks lately has died since */
async function resultOnceTaken(handle: WorkflowHandle<DryRunWorkflow>): Promise<RunPlan> {
  const result = handle.result();
  const ended = result.then(
    () => true,
    () => true,
  );
  const waiting = new AbortController();
  const inTime = await Promise.race([ended, pause(takenWithinMs, false, { signal: waiting.signal })]);
  waiting.abort();
  if (inTime || (await handle.describe()).historyLength > untakenLength) return result;
  await handle.terminate('no worker took it');
  throw noWorker();
}

/** Events of a workflow that nobody has taken yet: its start, and its first task waiting. */
const untakenLength = 2;

/** A queue nobody has asked for tasks lately has no worker: a long poll lasts a minute. */
const pollWithinMs = 90_000;
/** TASK_QUEUE_TYPE_WORKFLOW of the service's API. */
const workflowTasks = 1;

/** @throws NoBuild when no worker serves the build */
async function requireWorker({ workflowService, options }: Client, queue: string): Promise<void> {
  const { pollers } = await workflowService.describeTaskQueue({
    namespace: options.namespace,
    taskQueue: { name: queue },
    taskQueueType: workflowTasks,
  });
  const lately = pollers.some(
    ({ lastAccessTime }) => Date.now() - Number(lastAccessTime?.seconds ?? 0) * 1_000 < pollWithinMs,
  );
  if (!lately) throw noWorker();
}

const noWorker = (): NoBuild =>
  new NoBuild('No worker serves the current build.', {
    hint: 'Start `millrace dev` or `millrace worker`; a run started now would wait for one.',
  });
