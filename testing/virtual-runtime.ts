import type { ApprovalDecision } from '../sdk/approval.js';
import type { ArtifactKind, ArtifactRef } from '../sdk/artifact.js';
import { durationMs } from '../sdk/duration.js';
import type { GateChecks, GateOutcome } from '../sdk/gate.js';
import { judge } from '../sdk/gate.js';
import type { PipelineDefinition } from '../sdk/pipeline.js';
import type { AliasChange, ModelVersion } from '../sdk/registry.js';
import type { PipelineRuntime, RunInfo } from '../sdk/runtime.js';
import { approvalExpired, approvalRejected, gateFailed } from '../workflows/decision-errors.js';
import { stepPaths } from '../workflows/step-path.js';
import type { VirtualClock } from './virtual-clock.js';

/** A call of a pipeline, with its place in the run. Inputs are as they cross to a step: JSON. */
export type VirtualCall = {
  /** `train`, `train#2`: as a run on Temporal counts. */
  readonly path: string;
  readonly name: string;
} & (
  | { readonly kind: 'step'; readonly input: unknown }
  | { readonly kind: 'pipeline'; readonly input: unknown; readonly definition: PipelineDefinition }
  | { readonly kind: 'fetch'; readonly input: { readonly uri: string; readonly kind: ArtifactKind } }
  | {
      readonly kind: 'register';
      readonly input: {
        readonly name: string;
        readonly model: ArtifactRef<'model'>;
        readonly metrics: Readonly<Record<string, number>>;
        readonly evidence: unknown;
      };
    }
  | {
      readonly kind: 'promote';
      readonly input: { readonly version: ModelVersion; readonly alias: string };
    }
  | {
      readonly kind: 'approval';
      readonly input: { readonly of: ModelVersion | undefined; readonly evidence: unknown };
    }
);

/** What comes of a call, `after` so many ms of virtual time (default 0). */
export type VirtualAnswer =
  | { readonly gives: unknown; readonly after?: number }
  | { readonly throws: unknown; readonly after?: number }
  /** Of an approval: nobody decides. */
  | 'nobody';

/** Stands in for all that is outside the pipeline function. A promise that stays open leaves the call open. */
export type VirtualWorld = {
  answer(call: VirtualCall): Promise<VirtualAnswer> | VirtualAnswer;
  /** Called with each gate, before one that failed throws. One that stays open leaves the gate open. */
  judged?(gate: VirtualGate): Promise<void> | void;
  /** Called with each sleep. */
  slept?(ms: number): void;
};
export type VirtualGate = {
  readonly path: string;
  readonly name: string;
  readonly outcome: GateOutcome;
  readonly evidence: unknown;
  /** Whether it throws. */
  readonly throws: boolean;
};

export type VirtualRuntimeOptions = {
  readonly info: RunInfo;
  readonly clock: VirtualClock;
  readonly world: VirtualWorld;
};

/** What stands behind the SDK's words outside Temporal: one run under a virtual clock, answered by a given world. */
export function virtualRuntime({ info, clock, world }: VirtualRuntimeOptions): PipelineRuntime {
  const nextPath = stepPaths();
  const placeOf = (path: string) => ({ run: info.run, step: path });

  /** A call may fail while its author waits for another one: until it is awaited, that is no unhandled error. */
  function call<T>(made: VirtualCall, withinMs?: number): Promise<T> {
    const called = answered(made, withinMs);
    called.catch(() => undefined);
    return called as Promise<T>;
  }

  async function answered(made: VirtualCall, withinMs = Infinity): Promise<unknown> {
    const answer = await world.answer(made);
    const after = answer === 'nobody' ? Infinity : (answer.after ?? 0);
    if (withinMs < Infinity && after >= withinMs) {
      await clock.sleep(withinMs);
      throw approvalExpired(made.name, placeOf(made.path));
    }
    if (answer === 'nobody') return new Promise(() => undefined);
    if (after > 0) await clock.sleep(after);
    if ('throws' in answer) throw answer.throws;
    // What the pipeline does with a value must not reach the world that holds it.
    return asJson(answer.gives);
  }

  async function gate(path: string, name: string, checks: GateChecks, options: GateOptions) {
    const { evidence = null, onFail = 'throw' } = options;
    const outcome = judge(name, checks);
    const throws = outcome.outcome === 'fail' && onFail === 'throw';
    await world.judged?.({ path, name, outcome, evidence: asJson(evidence), throws });
    if (throws) throw gateFailed(name, checks, placeOf(path));
    return outcome;
  }

  async function approval(made: VirtualCall, withinMs: number | undefined): Promise<ApprovalDecision> {
    const decision = await call<ApprovalDecision>(made, withinMs);
    if (decision.decision === 'rejected') throw approvalRejected(made.name, decision, placeOf(made.path));
    return decision;
  }

  return {
    info,
    step: (name, input) => call({ kind: 'step', path: nextPath(name), name, input: asJson(input) }),
    pipeline: (definition, input) => {
      const { name } = definition;
      return call({ kind: 'pipeline', path: nextPath(name), name, input: asJson(input), definition });
    },
    fetchData: (uri, { kind }) =>
      call<ArtifactRef>({
        kind: 'fetch',
        path: nextPath('fetchData'),
        name: 'fetchData',
        input: { uri, kind },
      }),
    gate: (name, checks, options) => quiet(gate(nextPath(name), name, checks, options)),
    approval: (name, { of, evidence = null, within }) => {
      const input = asJson({ of, evidence }) as { of: ModelVersion | undefined; evidence: unknown };
      const withinMs =
        within === undefined ? undefined : durationMs(within, `within\` of approval \`${name}`);
      return quiet(approval({ kind: 'approval', path: nextPath(name), name, input }, withinMs));
    },
    register: (name, { model, metrics = {}, evidence = null }) =>
      call<ModelVersion>({
        kind: 'register',
        path: nextPath('register'),
        name: 'register',
        input: { name, model, metrics, evidence: asJson(evidence) },
      }),
    promote: (version, { alias = 'champion' }) =>
      call<AliasChange>({
        kind: 'promote',
        path: nextPath('promote'),
        name: 'promote',
        input: { version, alias },
      }),
    sleep: (ms) => {
      world.slept?.(ms);
      return clock.sleep(ms);
    },
  };
}

type GateOptions = Parameters<PipelineRuntime['gate']>[2];

function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** As a value is once it has crossed Temporal. */
const asJson = (value: unknown): unknown =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value) ?? 'null') as unknown);
