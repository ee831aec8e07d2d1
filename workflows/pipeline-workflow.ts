import {
  CancellationScope,
  defineQuery,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { checkSize } from '../sdk/check-size.js';
import { InvalidInput } from '../sdk/errors.js';
import type { Pipeline, PipelineDefinition } from '../sdk/pipeline.js';
import { PIPELINE } from '../sdk/pipeline.js';
import { inputProblems } from '../sdk/input-problems.js';
import type {
  CloseRun,
  OpenRun,
  OpenedRun,
  PlanRequest,
  RunPlan,
  RunRequest,
  RunState,
} from '../sdk/protocol/messages.js';
import { activityNames, queries, searchAttributes } from '../sdk/protocol/names.js';
import { installRuntime } from '../sdk/runtime.js';
import type { RunStatus } from '../sdk/states.js';
import { failureInfo, typedError, workflowFailure } from './failures.js';
import { openLeftOut } from './left-out.js';
import { openGates } from './open-gates.js';
import { openRepairs } from './repairs.js';
import { recordedResults } from './recorded-results.js';
import { reusedResults } from './reused-results.js';
import type { RunEvent } from './run-reducer.js';
import { reduceRun, startedRun } from './run-reducer.js';
import { loadedSpecs } from './step-proxy.js';
import { temporalRuntime } from './temporal-runtime.js';
import { traceEvent } from './trace-run.js';

const local = proxyLocalActivities<{
  [activityNames.openRun](run: OpenRun): Promise<OpenedRun>;
  [activityNames.closeRun](run: CloseRun): Promise<void>;
  [activityNames.checkRun](request: PlanRequest): Promise<OpenedRun>;
}>({ startToCloseTimeout: '30s', retry: { maximumInterval: '10s' } });
const remote = proxyActivities<{ [activityNames.planRun](request: PlanRequest): Promise<RunPlan> }>({
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '15s',
  retry: { maximumInterval: '1 minute', maximumAttempts: 10 },
});

/**
 * The Temporal workflow of a pipeline: one execution is one run.
 * @param stepNames steps it can call: what a run is checked for when it starts
 */
export function pipelineWorkflow(
  pipeline: Pipeline,
  stepNames: readonly string[],
): (request: RunRequest) => Promise<unknown> {
  const definition = pipeline[PIPELINE];
  return async (request) => {
    let state: RunState = startedRun(request.run, request.pipeline);
    const record = (event: RunEvent) => {
      traceEvent?.(event);
      state = reduceRun(state, event);
    };
    setHandler(defineQuery<RunState>(queries.state), () => state);
    const gates = openGates(request.run);
    const repairs = openRepairs(request.run);
    const leftOut = openLeftOut(request);
    const { run, recover } = request;
    const reuse = recover && reusedResults(recover, recordedResults({ run, of: recover.run }));
    installRuntime(
      temporalRuntime({
        request,
        planned: stepNames,
        onFailure: definition.onFailure ?? request.onFailure,
        gates,
        repairs,
        leftOut,
        reuse,
        state: () => state,
        record,
      }),
    );
    try {
      await open(request, { stepNames, record });
      const output = await definition.body(checkedInput(definition, request));
      checkSize(output ?? null, `The output of pipeline \`${request.pipeline}\``, { run: request.run });
      await close('completed', { output: output ?? null });
      return output;
    } catch (thrown) {
      const error = typedError(thrown, { run: request.run });
      // As Temporal has it: what was cancelled on its own fails a run that was not.
      const cancelled = isCancellation(error) && CancellationScope.current().consideredCancelled;
      const failure = failureInfo(error, { run: request.run });
      await CancellationScope.nonCancellable(() =>
        close(cancelled ? 'cancelled' : 'failed', cancelled ? {} : { failure }),
      );
      throw cancelled
        ? error
        : workflowFailure(failure, error instanceof Error ? error.message : String(error));
    }

    async function close(
      status: Exclude<RunStatus, 'running'>,
      end: Pick<CloseRun, 'output' | 'failure'>,
    ): Promise<void> {
      await Promise.all([reuse?.settled(), leftOut.told()]);
      record({ type: 'ended', status, ...(end.failure && { failure: end.failure }) });
      upsertSearchAttributes({ [searchAttributes.status]: [status] });
      await local[activityNames.closeRun]({ run: request.run, status, steps: state.steps, ...end });
    }
  };
}

/** Records the run and fixes where its steps execute. Only where images must be pulled or built does that take a task. */
async function open(
  request: RunRequest,
  {
    stepNames,
    record,
  }: { readonly stepNames: readonly string[]; readonly record: (event: RunEvent) => void },
): Promise<void> {
  const specs = loadedSpecs().filter(({ name }) => stepNames.includes(name));
  const { plan } = await local[activityNames.openRun]({
    ...request,
    startedAt: new Date().toISOString(),
    specs,
  });
  record({
    type: 'planned',
    plan: plan ?? (await remote[activityNames.planRun]({ run: request.run, specs })),
  });
}

function checkedInput(definition: PipelineDefinition, { run, input }: RunRequest): unknown {
  const parsed = definition.input.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = inputProblems(parsed.error);
  throw new InvalidInput(`The input of pipeline \`${definition.name}\` is wrong: ${problems.join('; ')}.`, {
    run,
    fields: { problems },
  });
}

/** Checks secrets, capacity and images as a run's start would, and starts nothing. */
export async function dryRun({ specs }: PlanRequest): Promise<RunPlan> {
  try {
    const { plan } = await local[activityNames.checkRun]({ specs });
    return plan ?? (await remote[activityNames.planRun]({ specs }));
  } catch (thrown) {
    const error = typedError(thrown, {});
    if (isCancellation(error)) throw error;
    throw workflowFailure(failureInfo(error, {}), error instanceof Error ? error.message : String(error));
  }
}
