import type { ActivityOptions } from '@temporalio/workflow';
import {
  CancellationScope,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { ApprovalDecision } from '../sdk/approval.js';
import type { ErrorPlace } from '../sdk/errors.js';
import { RunCancelled, UnknownStep } from '../sdk/errors.js';
import { judge } from '../sdk/gate.js';
import type { FailurePolicy } from '../sdk/failure-policy.js';
import type { PipelineRuntime } from '../sdk/runtime.js';
import type { ArtifactRef } from '../sdk/artifact.js';
import { checkSize } from '../sdk/check-size.js';
import { durationMs } from '../sdk/duration.js';
import type {
  CloseApproval,
  FetchTask,
  OpenApproval,
  PromoteTask,
  RecordGate,
  RegisterTask,
  RunCache,
  RunPlan,
  RunRequest,
  RunState,
  StepPlace,
  StepResult,
  StepTask,
} from '../sdk/protocol/messages.js';
import { activityNames, searchAttributes } from '../sdk/protocol/names.js';
import type { AliasChange, ModelVersion } from '../sdk/registry.js';
import type { StepKind } from '../sdk/states.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type { StepWork } from '../sdk/recovery/step-work.js';
import { stepWork } from '../sdk/recovery/step-work.js';
import { cachedSteps, cacheMode } from './cached-steps.js';
import { approvalExpired, approvalRejected, gateFailed } from './decision-errors.js';
import { childError, failureInfo, typedError } from './failures.js';
import type { LeftOut } from './left-out.js';
import type { OpenChildren } from './open-children.js';
import type { OpenGates } from './open-gates.js';
import type { Repairs } from './repairs.js';
import type { ReusedResults, Taken } from './reused-results.js';
import type { CallContext, RunCancellation } from './run-cancellation.js';
import type { RunPause } from './run-pause.js';
import type { RunEvent } from './run-reducer.js';
import { runSteps } from './run-steps.js';
import { stepPaths } from './step-path.js';
import { specOf } from './step-proxy.js';

/** Attempts on top of the author's that lost workers and broken infrastructure may use. */
const infrastructureAttempts = 20;
const ownActivity: ActivityOptions = {
  startToCloseTimeout: '5 minutes',
  // A worker that died with it is noticed then.
  heartbeatTimeout: '15s',
  retry: { maximumAttempts: infrastructureAttempts, maximumInterval: '20s' },
};
const recording = proxyLocalActivities<{
  [activityNames.recordGate](gate: RecordGate): Promise<void>;
  [activityNames.openApproval](approval: OpenApproval): Promise<void>;
  [activityNames.closeApproval](closed: CloseApproval): Promise<void>;
}>({ startToCloseTimeout: '30s', retry: { maximumInterval: '10s' } });
const effects = proxyActivities<{
  [activityNames.register](task: RegisterTask): Promise<ModelVersion>;
  [activityNames.promote](task: PromoteTask): Promise<AliasChange>;
}>(ownActivity);
const reading = proxyActivities<{ [activityNames.fetchData](task: FetchTask): Promise<ArtifactRef> }>({
  ...ownActivity,
  startToCloseTimeout: '24 hours',
});

export type RuntimeOptions = {
  readonly request: RunRequest;
  readonly onFailure: FailurePolicy | undefined;
  readonly repairs: Repairs;
  readonly leftOut: LeftOut;
  /** Names of the steps that the plan was made for. */
  readonly planned: readonly string[];
  readonly gates: OpenGates;
  /** Of a run that recovers another one: that one's results. */
  readonly reuse?: ReusedResults | undefined;
  readonly cancellation: RunCancellation;
  readonly pause: RunPause;
  readonly children: OpenChildren;
  readonly state: () => RunState;
  readonly record: (event: RunEvent) => void;
};

/** The build whose code this is: of a run that was moved another than the one it began with. */
const { millraceBuild: servingBuild } = globalThis as { readonly millraceBuild?: string };

/** What stands behind the SDK's words when Temporal replays a pipeline. */
export function temporalRuntime(options: RuntimeOptions): PipelineRuntime {
  const { request, planned, leftOut, gates, reuse, cancellation, pause, children, state, record } = options;
  const { run, pipeline, queue, tags } = request;
  const build = servingBuild ?? request.build;
  const nextPath = stepPaths();
  const now = () => new Date().toISOString();
  const cached = cachedSteps({
    remade: (path, from) => record({ type: 'remade', path, ...(from && { cached: from }) }),
  });
  const steps = runSteps({ ...options, queue, adoptWithinMs: request.adoptWithinMs ?? 60_000 });
  /** What is made after a step was left out must not be taken for what the pipeline makes. */
  const cacheOf = () => (leftOut.any ? uncached : request.cache);

  /** A call may fail while its author waits for another one: until it is awaited, that is no unhandled error. */
  function call<T>(name: string, kind: StepKind, body: CallBody<T>): Promise<T> {
    const called = cancellation.call(kind, (context) => recorded(name, { kind, ...context }, body));
    called.catch(() => undefined);
    return called;
  }

  /** Gives the call its path, records its beginning and end, and turns what Temporal throws into typed errors. */
  async function recorded<T>(
    name: string,
    { kind, cleanup }: CallContext & { readonly kind: StepKind },
    body: CallBody<T>,
  ): Promise<T> {
    const path = nextPath(name);
    const place = { run, step: path };
    const scheduledAt = now();
    record({ type: 'scheduled', path, name, kind, at: scheduledAt });
    try {
      const held = cleanup ? undefined : pause.hold();
      if (held) await held;
      let taken: { readonly cached: StepPlace } | { readonly reused: StepPlace } | undefined;
      // What cleans up has to be done in this run, too.
      const former: Called['former'] =
        reuse && !cleanup
          ? async (input, work) => {
              const crossed: unknown = JSON.parse(JSON.stringify(input));
              const found = await reuse.take({
                path,
                name,
                kind,
                scheduledAt,
                input: crossed,
                ...(work && { work }),
              });
              if (found) taken = { reused: found.maker };
              return found;
            }
          : undefined;
      const from = (cached: StepPlace) => (taken = { cached });
      const result = await body(path, { scheduledAt, cleanup, from, former });
      if (!taken) reuse?.made(path, result);
      record({ type: 'closed', path, status: 'completed', at: now(), ...taken });
      return result;
    } catch (error) {
      const typed = typedError(error, place);
      const status = isCancellation(typed instanceof RunCancelled ? typed.cause : typed)
        ? 'cancelled'
        : 'failed';
      record({ type: 'closed', path, status, at: now(), failure: failureInfo(typed, place) });
      throw typed;
    }
  }

  return {
    info: { run, pipeline, tags },

    step(name, input) {
      const spec = specOf(name);
      if (!spec) throw new UnknownStep(`No step \`${name}\` is in this build.`, { run });
      return call(name, 'step', async (path, { from, former, scheduledAt, cleanup }) => {
        checkSize(input, `The input of step \`${name}\``, { run, step: path });
        const plan = state().plan;
        const image = plan?.images[name];
        const found = former && (await former(input, stepWork(spec, plan)));
        if (found) return found.value;
        // What cleans up has to be done.
        const mode = cleanup ? undefined : cacheMode(spec, cacheOf());
        const task: StepTask = {
          v: 1,
          run,
          path,
          pipeline,
          build,
          // Nobody repairs what is being cleaned up.
          spec: cleanup ? { ...spec, onFailure: { park: false } } : spec,
          executor: executorOf(spec, planned.includes(name) ? plan?.executor : undefined),
          input,
          queue,
          ...(image && { image }),
          ...(mode && { cache: mode }),
          ...(cleanup && { cleanup }),
        };
        if (spec.isolation === 'inline') return (await inlineActivity(spec)(task)).output;
        const result = await cached.run(task, (again) => steps.run({ task: again, scheduledAt }));
        if (result.cached) from(result.cached);
        if (result.supplied === 'skipped') await leftOut.mark();
        return result.output;
      });
    },

    pipeline: (definition, input) =>
      call(definition.name, 'pipeline', async (path) => {
        checkSize(input, `The input of pipeline \`${definition.name}\``, { run, step: path });
        const child = `${run}.${path}`;
        const recover = reuse && (await reuse.below({ path, name: definition.name, input }));
        const cache = cacheOf();
        const attributes = {
          [searchAttributes.pipeline]: [definition.name],
          [searchAttributes.status]: ['running'],
          [searchAttributes.build]: [build],
        };
        const started = executeChild(definition.name, {
          workflowId: child,
          args: [
            {
              run: child,
              pipeline: definition.name,
              input,
              build,
              queue,
              tags,
              parent: { run, path, scheduledAt: now() },
              ...(cache && { cache }),
              ...(request.onFailure && { onFailure: request.onFailure }),
              ...(request.adoptWithinMs !== undefined && { adoptWithinMs: request.adoptWithinMs }),
              ...(recover && { recover }),
            } satisfies RunRequest,
          ],
          taskQueue: workflowInfo().taskQueue,
          searchAttributes: attributes,
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          ...(definition.timeoutMs !== undefined && { workflowExecutionTimeout: definition.timeoutMs }),
        });
        return children.during(child, started).catch((error: unknown) => {
          const cancelled = CancellationScope.current().consideredCancelled;
          throw childError(error, { run, step: path, cancelled });
        });
      }),

    fetchData: (uri, { kind }) =>
      call('fetchData', 'fetch', (path, { former }) =>
        formerOr(former?.({ uri, kind }), () =>
          reading[activityNames.fetchData]({ run, path, scheduledAt: now(), uri, kind }),
        ),
      ),

    gate: (name, checks, { evidence = null, onFail = 'throw' }) =>
      call(name, 'gate', async (path) => {
        checkSize(evidence, `The evidence of gate \`${name}\``, { run, step: path });
        const outcome = judge(name, checks);
        await recording[activityNames.recordGate]({ run, path, scheduledAt: now(), outcome, evidence });
        if (outcome.outcome === 'fail' && onFail === 'throw')
          throw gateFailed(name, checks, { run, step: path });
        return outcome;
      }),

    approval: (name, { of, evidence = null, within }) =>
      call(name, 'approval', async (path, { former }) => {
        const withinMs =
          within === undefined ? undefined : durationMs(within, `within\` of approval \`${name}`);
        checkSize(evidence, `The evidence of approval \`${name}\``, { run, step: path });
        const place = { run, step: path };
        const found = former && (await former({ of, evidence }));
        if (found) return accepted(name, found.value as ApprovalDecision, place);
        const until = withinMs === undefined ? undefined : new Date(Date.now() + withinMs).toISOString();
        // The gate takes answers before it is recorded as open, so that nobody sees one that refuses them.
        const [decision] = await Promise.all([
          gates.wait(path, withinMs),
          recording[activityNames.openApproval]({
            run,
            path,
            scheduledAt: now(),
            gate: path,
            of,
            evidence,
            until,
          }),
        ]);
        if (!decision) {
          await recording[activityNames.closeApproval]({
            run,
            path,
            gate: path,
            decision: { decision: 'expired', at: now() },
          });
          throw approvalExpired(name, place);
        }
        await recording[activityNames.closeApproval]({ run, path, gate: path, decision });
        return accepted(name, decision, place);
      }),

    register: (name, { model, metrics = {}, evidence = null }) =>
      call('register', 'register', async (path, { former }) => {
        checkSize({ metrics, evidence }, `The evidence of \`${name}\``, { run, step: path });
        const found = former && (await former({ name, model, metrics, evidence }));
        if (found) return found.value as ModelVersion;
        return effects[activityNames.register]({
          run,
          path,
          scheduledAt: now(),
          name,
          model,
          metrics,
          evidence,
        });
      }),

    promote: (version, { alias = 'champion' }) =>
      call('promote', 'promote', (path, { former }) =>
        formerOr(former?.({ name: version.name, version: version.version, alias }), () =>
          effects[activityNames.promote]({ run, path, scheduledAt: now(), version, alias }),
        ),
      ),

    sleep: (ms) => cancellation.call('sleep', () => sleep(ms)),
  };
}

const uncached: RunCache = { use: false, refresh: [] };
type CallBody<T> = (path: string, called: Called) => Promise<T>;

/** What a call's body is given. */
type Called = CallContext & {
  /** ISO 8601. */
  readonly scheduledAt: string;
  /** Says that its result came from the cache. */
  readonly from: (cached: StepPlace) => void;
  /** The recorded result of the same call; not there unless this run recovers another one. */
  readonly former: ((input: unknown, work?: StepWork) => Promise<Taken | undefined>) | undefined;
};

/** Where nothing is recovered the call is made in this very moment: the order of commands is that of histories before. */
const formerOr = <T>(former: Promise<Taken | undefined> | undefined, make: () => Promise<T>): Promise<T> =>
  former ? former.then((found) => (found ? (found.value as T) : make())) : make();

/** @throws ApprovalRejected */
function accepted(name: string, decision: ApprovalDecision, place: ErrorPlace): ApprovalDecision {
  if (decision.decision === 'rejected') throw approvalRejected(name, decision, place);
  return decision;
}

/** @throws UnknownStep for a container that nobody planned: it must not end up on the host */
function executorOf(spec: StepSpec, planned: RunPlan['executor'] | undefined): StepTask['executor'] {
  if (spec.isolation === 'inline' || spec.isolation === 'none') return 'worker';
  if (spec.isolation === 'process') return 'process';
  if (planned) return planned;
  throw new UnknownStep(`Step \`${spec.name}\` was not seen among those its pipeline can call.`, {
    hint: 'Import it by name from its *.steps.ts file.',
  });
}

type StepActivities = Readonly<Record<string, (task: StepTask) => Promise<StepResult>>>;

/** Temporal itself counts the attempts of a local activity. */
const retryOf = ({ retry }: StepSpec) => ({
  maximumAttempts: retry.attempts + infrastructureAttempts,
  initialInterval: retry.initialIntervalMs,
  backoffCoefficient: retry.backoff,
  maximumInterval: retry.maximumIntervalMs,
});

function inlineActivity(spec: StepSpec): (task: StepTask) => Promise<StepResult> {
  const options = { startToCloseTimeout: spec.timeoutMs, retry: retryOf(spec) };
  const activity = proxyLocalActivities<StepActivities>(options)[spec.name];
  if (!activity) throw new UnknownStep(`No activity \`${spec.name}\`.`);
  return activity;
}
