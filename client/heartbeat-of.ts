import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { StepHeartbeat } from '../sdk/protocol/messages.js';

export type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** What the worker of an activity said last, where it has said something. */
export function heartbeatOf({ heartbeatDetails }: PendingActivity): StepHeartbeat | undefined {
  const payload = heartbeatDetails?.payloads?.[0];
  // One that was kept elsewhere for its size says nothing here.
  if (
    !payload?.data ||
    new TextDecoder().decode(payload.metadata?.['encoding'] ?? undefined) !== 'json/plain'
  )
    return undefined;
  return JSON.parse(new TextDecoder().decode(payload.data)) as StepHeartbeat;
}
