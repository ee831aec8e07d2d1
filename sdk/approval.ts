import type { Duration } from './duration.js';
import type { ModelVersion } from './registry.js';
import { currentRuntime } from './runtime.js';

export type ApprovalOptions = {
  /** What is approved. */
  readonly of?: ModelVersion | undefined;
  /** What the approver sees: JSON with artifact references. */
  readonly evidence?: unknown;
  /** How long the gate stays open; then ApprovalExpired. Default: for ever. */
  readonly within?: Duration;
};

/** A person's answer as it reaches the pipeline. */
export type ApprovalDecision = {
  readonly gate: string;
  readonly decision: 'approved' | 'rejected';
  /** Who says they decided: the name the client gave. */
  readonly by: string;
  readonly reason?: string;
  /** ISO 8601, UTC. */
  readonly at: string;
};

/**
 * Waits for a person's decision (`millrace approve RUN GATE`).
 * @returns the decision when approved
 * @throws ApprovalRejected with `by` and `reason`; ApprovalExpired after `within`
 */
export const approval = (name: string, options: ApprovalOptions = {}): Promise<ApprovalDecision> =>
  currentRuntime(`approval \`${name}\``).approval(name, options);
