import { userInfo } from 'node:os';
import { UnknownRun } from '../sdk/errors.js';
import type { Paused, PauseRequest } from '../sdk/protocol/messages.js';
import { updates } from '../sdk/protocol/names.js';
import type { ClientParts } from './client-parts.js';
import { updateError } from './temporal-errors.js';

export type PauseOptions = {
  /** Kept in the run's timeline. */
  readonly reason?: string;
  /** Default: the user of this process. */
  readonly by?: string;
};

/** Has a run begin nothing new. @returns the pause there is then, which may be an earlier one */
export const pauseRun = (id: string, options: PauseOptions, parts: ClientParts): Promise<Paused> =>
  ask(id, { update: updates.pause, ...options }, parts) as Promise<Paused>;

/** Has a paused run go on; one that is not paused stays as it is. */
export async function resumeRun(id: string, options: PauseOptions, parts: ClientParts): Promise<void> {
  await ask(id, { update: updates.resume, ...options }, parts);
}

async function ask(
  id: string,
  { update, reason, by = userInfo().username }: PauseOptions & { readonly update: string },
  { temporal }: ClientParts,
): Promise<unknown> {
  const request: PauseRequest = { by, ...(reason !== undefined && { reason }) };
  const { client } = await temporal();
  try {
    return await client.workflow.getHandle(id).executeUpdate(update, { args: [request] });
  } catch (error) {
    const ended = new UnknownRun(`No open run \`${id}\` is there.`, {
      run: id,
      hint: 'See `millrace runs`.',
    });
    throw updateError(error, { run: id, ended });
  }
}
