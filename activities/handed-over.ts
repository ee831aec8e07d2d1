import { AttemptHandedOver, isMillraceError } from '../sdk/errors.js';
import type { Attempt } from './attempt.js';

type Signals = Pick<Attempt, 'signal' | 'leave'>;

/** Whether an attempt broke off only because it is to be left to others. */
export function wasLeft(error: unknown, { signal, leave }: Signals): boolean {
  if (!leave.aborted || signal.aborted) return false;
  return error === leave.reason || (error as Error).name === 'AbortError';
}

/** What keeps a worker from seeing to an attempt that is on its host: there it is tried again, and nothing is stopped. */
export const inTrouble = (
  { installation }: Pick<Attempt['env'], 'installation'>,
  error: unknown,
): AttemptHandedOver =>
  new AttemptHandedOver(
    `The worker could not see to the step, which goes on without it: ${messageOf(error)}`,
    {
      hint: 'It tries again by itself.',
      fields: { host: installation, trouble: true },
      cause: error,
    },
  );

const messageOf = (error: unknown): string =>
  isMillraceError(error) ? error.what : error instanceof Error ? error.message : String(error);

/** @param options.kept whether its container may be here: then its own host is asked first */
export const handedOver = (
  { installation }: Pick<Attempt['env'], 'installation'>,
  { kept, cause }: { readonly kept: boolean; readonly cause?: unknown },
): AttemptHandedOver =>
  new AttemptHandedOver('The worker stops, and the step goes on without it.', {
    hint: 'Another worker takes it up by itself.',
    fields: kept ? { host: installation } : {},
    cause,
  });
