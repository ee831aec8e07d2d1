import type {
  ApprovalRecord,
  AttemptRecord,
  GateRecord,
  MetricRecord,
  RunRecord,
  StepRecord,
  VersionRecord,
} from '../store/catalog.js';
import type { CheckpointRecord } from '../store/checkpoints.js';

/** A step with what people want to see of it. */
export type StepView = StepRecord & {
  /** Newest first; empty for gates, approvals and what never started. */
  readonly attempts: readonly AttemptRecord[];
  /** The last value of each series, newest first. */
  readonly metrics: readonly MetricRecord[];
  /** Where the next attempt may go on from, of a step that has not completed: the newest first. Absent where there are none. */
  readonly checkpoints?: readonly CheckpointRecord[];
  /** The run a step of kind `pipeline` started. */
  readonly child?: RunView;
};

/** A run as it stands: the catalog's rows, reconciled with Temporal when they were read. */
export type RunView = {
  readonly run: RunRecord;
  readonly steps: readonly StepView[];
  readonly approvals: readonly ApprovalRecord[];
  readonly gates: readonly GateRecord[];
  readonly versions: readonly VersionRecord[];
  readonly at: string;
};
