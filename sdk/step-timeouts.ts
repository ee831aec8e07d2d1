import type { Duration } from './duration.js';
import { durationMs } from './duration.js';
import { DefinitionInvalid } from './errors.js';

/** Three limits: of one attempt once it runs, of waiting for a worker with room, and of the whole step with its retries. */
export type StepTimeouts = {
  /** Longest time of one attempt once it runs. Default 24 hours. */
  readonly attempt?: Duration;
  /** Longest wait of an attempt for a worker and for room on it. Default: none. */
  readonly queue?: Duration;
  /** Longest time of the step from its call, or its latest repair, on: waits and retries included. Default: none. */
  readonly step?: Duration;
};

export type TimeoutSpec = {
  readonly timeoutMs: number;
  readonly queueTimeoutMs: number | undefined;
  readonly stepTimeoutMs: number | undefined;
};

/** @throws DefinitionInvalid for a limit that is none */
export function timeoutSpec(step: string, given: Duration | StepTimeouts = {}): TimeoutSpec {
  const limits: StepTimeouts = typeof given === 'object' ? given : { attempt: given };
  const unknown = Object.keys(limits).find((name) => !['attempt', 'queue', 'step'].includes(name));
  if (unknown !== undefined)
    throw new DefinitionInvalid(`Step \`${step}\` has the unknown option \`timeout.${unknown}\`.`, {
      hint: 'Its options: attempt, queue, step.',
    });
  const named = (name: keyof StepTimeouts) => (typeof given === 'object' ? `timeout.${name}` : 'timeout');
  const limit = (name: keyof StepTimeouts): number | undefined => {
    const value = limits[name];
    if (value === undefined) return undefined;
    const ms = durationMs(value, `${named(name)}\` of step \`${step}`);
    if (ms > 0) return ms;
    throw new DefinitionInvalid(`Step \`${step}\` has a \`${named(name)}\` of 0.`, {
      hint: 'Give the longest time.',
    });
  };
  return {
    timeoutMs: limit('attempt') ?? 24 * 3_600_000,
    queueTimeoutMs: limit('queue'),
    stepTimeoutMs: limit('step'),
  };
}
