import { AttemptHandedOver } from '../sdk/errors.js';
import type { Attempt } from './attempt.js';

type Signals = Pick<Attempt, 'signal' | 'leave'>;

/** Whether an attempt broke off only because it is to be left to others. */
export function wasLeft(error: unknown, { signal, leave }: Signals): boolean {
  if (!leave.aborted || signal.aborted) return false;
  return error === leave.reason || (error as Error).name === 'AbortError';
}

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
