export { createClient } from './create-client.js';
export type { ClientOptions } from './create-client.js';
export type {
  CacheClient,
  CachedResult,
  DryRun,
  LineageOptions,
  LogLine,
  MillraceClient,
  RunHandle,
  StartOptions,
} from './client.js';
export type { CacheWhy } from './cache-why.js';
export type { KeyChange } from './key-changes.js';
export type { CancelOptions } from './cancel-run.js';
export type { PauseOptions } from './pause-run.js';
export type { ListedRun, RunListFilter } from './list-runs.js';
export type { HeldStatus } from '../sdk/states.js';
export type { RepairOptions } from './repair-step.js';
export type { WhyEntry } from './run-why.js';
export type { RunView, StepView } from './views.js';
export type { GarbageReport } from '../store/collect-garbage.js';
export type { ArtifactSummary, ArtifactView } from './artifact-views.js';
export type { VerifyOptions, VerifyReport } from './verify-artifacts.js';
export type { LineageEdge, LineageGraph, LineageNode } from '../lineage/graph.js';
export type { RecoverOptions, Recovery } from './recover/recover-run.js';
export type { PlannedStep, RecoveryPlan } from './recover/recovery-plan.js';
export { planSummary } from './recover/recovery-plan.js';
export type { Change, RunDiff, StepDiff } from './diff-runs.js';
