import type { CloseApproval, OpenApproval, RecordGate } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import { now, stepRow } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';

/** The record of gates and approvals. */
export function decisionActivities(env: StepEnvironment) {
  const { catalog, projector } = env;
  return {
    async [activityNames.recordGate]({ run, path: step, outcome, evidence }: RecordGate): Promise<void> {
      const at = now();
      await catalog.recordGate({ run, path: step, outcome, evidence, at });
      projector.add({
        steps: [
          {
            ...stepRow({ run, path: step }, 'gate', outcome.gate),
            status: 'completed',
            detail: outcome.outcome,
            output: outcome,
            closedAt: at,
          },
        ],
      });
    },

    async [activityNames.openApproval]({
      run,
      path: step,
      gate,
      of,
      evidence,
      until,
    }: OpenApproval): Promise<void> {
      await catalog.openApproval({
        run,
        path: step,
        gate,
        evidence,
        status: 'open',
        openedAt: now(),
        ...(of && { of }),
        ...(until !== undefined && { until }),
      });
      projector.add({ steps: [{ ...stepRow({ run, path: step }, 'approval', gate), status: 'waiting' }] });
      await projector.flush();
    },

    async [activityNames.closeApproval]({ run, path: step, gate, decision }: CloseApproval): Promise<void> {
      const { decision: answer } = decision;
      await catalog.closeApproval({ run, path: step, status: answer, ...('by' in decision && { decision }) });
      projector.add({
        steps: [
          {
            ...stepRow({ run, path: step }, 'approval', gate),
            status: answer === 'approved' ? 'completed' : 'failed',
            detail: answer,
            output: decision,
            closedAt: now(),
          },
        ],
      });
    },
  };
}
