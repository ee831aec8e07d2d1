export { dataset, directory, file, model, report } from './artifact.js';
export type { ArtifactKind, ArtifactRef, ArtifactSchema, Digest } from './artifact.js';
export { step } from './step.js';
export type { CacheOptions, CacheScope, CheckpointOptions, Isolation, Resources } from './step-options.js';
export type { KindPolicy, OutOfMemoryPolicy, RetryPolicy } from './retry-policy.js';
export type { StepTimeouts } from './step-timeouts.js';
export type { OnFailure } from './failure-policy.js';
export type { LocalArtifact, StepContext, StepHandler } from './step-handler.js';
export type { Step } from './step.js';
export { pipeline } from './pipeline.js';
export type { Pipeline } from './pipeline.js';
export { image } from './image.js';
export { atLeast, atMost, gate, warn, within } from './gate.js';
export type { Check, CheckOutcome, GateOutcome } from './gate.js';
export { approval } from './approval.js';
export type { ApprovalDecision, ApprovalOptions } from './approval.js';
export type { CancelCause, RunEnd } from './cleanup.js';
export { promote, register } from './registry.js';
export type { AliasChange, ModelVersion } from './registry.js';
export { fetchData, runInfo, sleep } from './words.js';
export { defineConfig } from './define-config.js';
export type { ProjectConfig } from './define-config.js';
export type { Duration } from './duration.js';
export type { Bytes } from './bytes.js';
export {
  ApprovalExpired,
  ApprovalRejected,
  GateFailed,
  isMillraceError,
  MillraceError,
  OutOfMemory,
  RunCancelled,
  RunFailed,
  RunTimeout,
  StepCancelled,
  StepFailed,
  StepOutputInvalid,
  StepOutputMissing,
  StepTimeout,
} from './errors.js';
