import type { CloseApproval, OpenApproval, RecordGate } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import { now, stepRow } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';

/** The record of gates and approvals. */
export function decisionActivities(env: StepEnvironment) {
  const { catalog, projector } = env;
  return {
    async [activityNames.recordGate](task: RecordGate): Promise<void> {
      const { run, path: step, outcome, evidence } = task;
      const at = now();
      await catalog.recordGate({ run, path: step, outcome, evidence, at });
      projector.add({
        steps: [
          {
            ...stepRow(task, 'gate', outcome.gate),
            status: 'completed',
            detail: outcome.outcome,
            output: outcome,
            closedAt: at,
          },
        ],
      });
    },

    async [activityNames.openApproval](task: OpenApproval): Promise<void> {
      const { run, path: step, gate, of, evidence, until } = task;
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
      projector.add({ steps: [{ ...stepRow(task, 'approval', gate), status: 'waiting' }] });
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
