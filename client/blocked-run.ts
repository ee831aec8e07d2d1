import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { sentence } from '../sdk/sentence.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import type { Catalog, RunRecord } from '../store/catalog.js';

/** Whether a failure tells of an open run that cannot go on just now. */
export const isBlocked = ({ failure }: Pick<RunRecord, 'failure'>): boolean =>
  failure?.fields?.['blocked'] === true;

/**
 * Says of an open run why its workflow cannot go on (a large value of it is missing, its code does not fit its history), and
 * takes that back when it does. Temporal tries again by itself; the run is not lost.
 */
export async function projectBlocked(
  run: RunRecord,
  described: WorkflowExecutionDescription,
  { temporal, catalog }: { readonly temporal: Client; readonly catalog: Catalog },
): Promise<void> {
  const failing = (described.raw.pendingWorkflowTask?.attempt ?? 1) > 1;
  if (failing && !run.failure) {
    const failure = await lastTaskFailure(run.id, temporal);
    if (failure) await catalog.updateRun({ id: run.id, failure });
  } else if (!failing && isBlocked(run)) await catalog.updateRun({ id: run.id, failure: null });
}

async function lastTaskFailure(
  run: string,
  { workflowService, options }: Client,
): Promise<FailureInfo | undefined> {
  const { history } = await workflowService.getWorkflowExecutionHistoryReverse({
    namespace: options.namespace,
    execution: { workflowId: run },
    maximumPageSize: 10,
  });
  for (const { workflowTaskFailedEventAttributes: failed } of history?.events ?? []) {
    if (!failed) continue;
    const { message, applicationFailureInfo } = failed.failure ?? {};
    const code = applicationFailureInfo?.type ?? '';
    return {
      code: /^[A-Z_]+$/.test(code) ? code : 'INFRASTRUCTURE_FAILED',
      what: `The run cannot go on: ${sentence(message ?? 'its workflow task fails')}`,
      hint: 'It is tried again and again, and goes on by itself once that is mended; or cancel the run.',
      fields: { blocked: true },
      run,
    };
  }
  return undefined;
}
