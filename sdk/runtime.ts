import type { ApprovalDecision, ApprovalOptions } from './approval.js';
import { NotInPipeline } from './errors.js';
import type { GateOptions, GateOutcome, GateChecks } from './gate.js';
import type { AliasChange, ModelVersion, PromoteOptions, RegisterOptions } from './registry.js';
import type { PipelineDefinition } from './pipeline.js';
import type { ArtifactKind, ArtifactRef } from './artifact.js';

/** What a pipeline may know of its own run. */
export type RunInfo = {
  readonly run: string;
  readonly pipeline: string;
  readonly tags: Readonly<Record<string, string>>;
};

/**
 * What stands behind the SDK's words while a pipeline runs: Temporal in `workflows/`, a virtual clock in the test kit.
 * A port: the SDK itself imports neither.
 */
export interface PipelineRuntime {
  readonly info: RunInfo;
  step(name: string, input: unknown): Promise<unknown>;
  pipeline(definition: PipelineDefinition, input: unknown): Promise<unknown>;
  fetchData(uri: string, options: { readonly kind: ArtifactKind }): Promise<ArtifactRef>;
  gate(name: string, checks: GateChecks, options: GateOptions): Promise<GateOutcome>;
  approval(name: string, options: ApprovalOptions): Promise<ApprovalDecision>;
  register(name: string, options: RegisterOptions): Promise<ModelVersion>;
  promote(version: ModelVersion, options: PromoteOptions): Promise<AliasChange>;
  sleep(ms: number): Promise<void>;
}

// On globalThis, so that copies of the SDK in one realm agree; a workflow sandbox is a realm of its own.
const RUNTIME = Symbol.for('millrace.runtime');
const holder = globalThis as { [RUNTIME]?: PipelineRuntime | undefined };

export function installRuntime(runtime: PipelineRuntime | undefined): void {
  holder[RUNTIME] = runtime;
}

/** @throws NotInPipeline naming the word that was called */
export function currentRuntime(word: string): PipelineRuntime {
  const runtime = holder[RUNTIME];
  if (runtime) return runtime;
  throw new NotInPipeline(`${word} was called outside a running pipeline.`, {
    hint: 'Call it inside the function of a `pipeline(…)` and start that with `millrace run` or the client.',
  });
}
