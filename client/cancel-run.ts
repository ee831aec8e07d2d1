import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { UnknownRun } from '../sdk/errors.js';
import type { CancelMessage } from '../sdk/protocol/messages.js';
import { signals } from '../sdk/protocol/names.js';
import { runCancelled } from '../sdk/run-cancelled.js';
import type { ClientParts } from './client-parts.js';
import { serviceError } from './temporal-errors.js';

export type CancelOptions = {
  /** Kept with the run. */
  readonly reason?: string;
  /** Default: the user of this process. */
  readonly by?: string;
  /** Has no cleanup begin, and ends what there is of it. A second cancel does that too. */
  readonly force?: boolean;
};

/** NOT_FOUND and ALREADY_EXISTS of gRPC. */
const notFound = 5;
const alreadyAsked = 6;

/** Asks a run to end. @throws UnknownRun when no such run is open */
export async function cancelRun(
  id: string,
  { reason = '', by = userInfo().username, force = false }: CancelOptions,
  { catalog, temporal }: ClientParts,
): Promise<void> {
  const { client } = await temporal();
  const { workflowService, options } = client;
  const message: CancelMessage = { by, ...(reason && { reason }), ...(force && { force }) };
  try {
    // First who and why: Temporal's own request does not tell the workflow.
    await client.workflow.getHandle(id).signal<[CancelMessage]>(signals.cancel, message);
    await workflowService.requestCancelWorkflowExecution({
      namespace: options.namespace,
      requestId: randomUUID(),
      identity: by,
      reason,
      workflowExecution: { workflowId: id },
    });
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === alreadyAsked) return;
    const gone =
      error instanceof WorkflowNotFoundError || (isGrpcServiceError(error) && error.code === notFound);
    if (!gone) throw serviceError(error);
    throw new UnknownRun(`No open run \`${id}\` is there to cancel.`, { run: id, cause: error });
  }
  const cause = { by, reason };
  await catalog.updateRun({ id, failure: runCancelled(id, cause) });
}
