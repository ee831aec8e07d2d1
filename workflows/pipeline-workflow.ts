import {
  CancellationScope,
  CancelledFailure,
  defineQuery,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { checkSize } from '../sdk/check-size.js';
import type { CancelCause } from '../sdk/cleanup.js';
import { InvalidInput } from '../sdk/errors.js';
import type { Pipeline, PipelineDefinition } from '../sdk/pipeline.js';
import { PIPELINE } from '../sdk/pipeline.js';
import { inputProblems } from '../sdk/input-problems.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
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
import { runCancelled } from '../sdk/run-cancelled.js';
import { failureInfo, typedError, workflowFailure } from './failures.js';
import { openLeftOut } from './left-out.js';
import { openChildren } from './open-children.js';
import { openGates } from './open-gates.js';
import { openRepairs } from './repairs.js';
import { recordedResults } from './recorded-results.js';
import { reusedResults } from './reused-results.js';
import { runCancellation } from './run-cancellation.js';
import { runCleanup } from './run-cleanup.js';
import type { RunOutcome } from './run-cleanup.js';
import { runNotes } from './run-notes.js';
import { runPause } from './run-pause.js';
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
    const leftOut = openLeftOut(request);
    const { run, recover } = request;
    const reuse = recover && reusedResults(recover, recordedResults({ run, of: recover.run }));
    const notes = runNotes(run);
    const children = openChildren();
    const cancellation = runCancellation({
      cleanupMs: definition.cleanupMs,
      children,
      onRequest(cause) {
        pause.lift();
        void notes.write({ kind: 'cancelled', cause, paused: null, failure: runCancelled(run, cause) });
      },
    });
    const pause = runPause({ request, children, cancellation, notes, record });
    const cleanup = runCleanup({ run, definition, cancellation });
    installRuntime(
      temporalRuntime({
        request,
        planned: stepNames,
        onFailure: definition.onFailure ?? request.onFailure,
        gates: openGates(run),
        repairs: openRepairs(run),
        leftOut,
        reuse,
        cancellation,
        pause,
        children,
        state: () => state,
        record,
      }),
    );
    const outcome = await outcomeOf(async () => {
      await open(request, { stepNames, definition, record });
      const input = checkedInput(definition, request);
      cleanup.begin(input);
      const output = await cancellation.body(() => definition.body(input));
      checkSize(output ?? null, `The output of pipeline \`${request.pipeline}\``, { run });
      return output;
    });
    await cleanup.run(outcome);
    const end = outcome.status === 'completed' ? await outcomeOf(() => complete(outcome.output)) : outcome;
    if (end.status === 'completed') return end.output;
    // A run that was cancelled after its last step has this to do yet.
    await cleanup.run(end);
    await CancellationScope.nonCancellable(() => close(end));
    if (end.status === 'cancelled') throw new CancelledFailure('The run was cancelled.');
    const { failure, cause } = end;
    throw workflowFailure(failure, cause instanceof Error ? cause.message : String(cause));

    /** What was accepted as cancelled never completes; and what was cancelled on its own fails a run that was not. */
    async function outcomeOf(work: () => Promise<unknown>): Promise<RunOutcome> {
      try {
        const output = await work();
        return cancellation.requested() ? { status: 'cancelled' } : { status: 'completed', output };
      } catch (thrown) {
        if (cancellation.requested()) {
          cleanup.threw(thrown);
          return { status: 'cancelled' };
        }
        const error = typedError(thrown, { run });
        return { status: 'failed', failure: failureInfo(error, { run }), cause: error };
      }
    }

    async function complete(output: unknown): Promise<unknown> {
      await close({ status: 'completed', output });
      return output;
    }

    async function close(ended: RunOutcome): Promise<void> {
      const { status } = ended;
      const cleanupFailure = cleanup.failure();
      cancellation.end();
      await notes.settled();
      await Promise.all([reuse?.settled(), leftOut.told()]);
      record({ type: 'ended', status, ...(ended.status === 'failed' && { failure: ended.failure }) });
      upsertSearchAttributes({ [searchAttributes.status]: [status] });
      await local[activityNames.closeRun]({
        run,
        status,
        steps: state.steps,
        ...(ended.status === 'completed' && { output: ended.output ?? null }),
        ...(ended.status === 'failed' && { failure: ended.failure }),
        ...(ended.status === 'cancelled' && cancelledBy(run, cancellation.cause())),
        ...(cleanupFailure && { cleanupFailure }),
      });
    }
  };
}

/** Who cancelled stands in the row already where another tool's word is all there is. */
const cancelledBy = (run: string, cause: CancelCause): { readonly failure?: FailureInfo } =>
  cause.by === undefined ? {} : { failure: runCancelled(run, cause) };

/** Records the run and fixes where its steps execute. Only where images must be pulled or built does that take a task. */
async function open(
  request: RunRequest,
  {
    stepNames,
    definition: { expectedWithinMs },
    record,
  }: {
    readonly stepNames: readonly string[];
    readonly definition: PipelineDefinition;
    readonly record: (event: RunEvent) => void;
  },
): Promise<void> {
  const startedAt = Date.now();
  const specs = loadedSpecs().filter(({ name }) => stepNames.includes(name));
  const { plan } = await local[activityNames.openRun]({
    ...request,
    startedAt: new Date(startedAt).toISOString(),
    ...(expectedWithinMs !== undefined && { dueAt: new Date(startedAt + expectedWithinMs).toISOString() }),
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
