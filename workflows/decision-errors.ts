import type { ApprovalDecision } from '../sdk/approval.js';
import type { ErrorPlace } from '../sdk/errors.js';
import { ApprovalExpired, ApprovalRejected, GateFailed } from '../sdk/errors.js';
import type { GateChecks } from '../sdk/gate.js';
import { describeCheck } from '../sdk/gate.js';

/** What a failed gate throws, wherever a pipeline runs. */
export function gateFailed(name: string, checks: GateChecks, place: ErrorPlace): GateFailed {
  const failed = Object.entries(checks).filter(([, each]) => each.outcome === 'fail');
  return new GateFailed(
    `Gate \`${name}\` failed: ${failed.map(([key, each]) => describeCheck(key, each)).join('; ')}.`,
    {
      ...place,
      fields: { gate: name, checks },
      hint: 'Look at its evidence, or give the gate `onFail: "continue"` to decide in the pipeline.',
    },
  );
}

export const approvalExpired = (name: string, place: ErrorPlace): ApprovalExpired =>
  new ApprovalExpired(`Nobody decided on \`${name}\` in time.`, {
    ...place,
    fields: { gate: name },
    hint: 'Start the run again, or give the approval a longer `within`.',
  });

export const approvalRejected = (
  name: string,
  decision: ApprovalDecision,
  place: ErrorPlace,
): ApprovalRejected =>
  new ApprovalRejected(`\`${name}\` was rejected by ${decision.by}: ${decision.reason ?? ''}.`, {
    ...place,
    fields: { ...decision },
  });
