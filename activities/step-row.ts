import type { CallPlace } from '../sdk/protocol/messages.js';
import type { StepKind } from '../sdk/states.js';
import type { StepRecord } from '../store/catalog.js';

/** ISO 8601, UTC. */
export const now = (): string => new Date().toISOString();

/** The row of a call that is no step of the author's, scheduled when the workflow called it. */
export const stepRow = (
  { run, path, scheduledAt = now() }: CallPlace,
  kind: StepKind,
  name: string,
): Omit<StepRecord, 'status'> => ({
  run,
  path,
  name,
  kind,
  scheduledAt,
});
