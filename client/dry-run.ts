import { isMillraceError } from '../sdk/errors.js';
import { PIPELINE } from '../sdk/pipeline.js';
import type { AnyPipeline } from '../sdk/pipeline.js';
import type { PlanRequest, RunPlan } from '../sdk/protocol/messages.js';
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
  const { config, temporal } = parts;
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
    const { client } = await temporal();
    const request: PlanRequest = { specs };
    plan = await client.workflow
      .execute<(request: PlanRequest) => Promise<RunPlan>>(dryRunWorkflow, {
        workflowId: newRunId(`dry-run-${name}`),
        taskQueue: workflowQueue(config.queue, build.id),
        args: [request],
      })
      .catch((error: unknown) => note(runError(error, 'dry-run')) ?? undefined);
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
