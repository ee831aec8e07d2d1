import type { StepPlace } from '../sdk/protocol/messages.js';
import type { StepKind } from '../sdk/states.js';
import type { StepRecord } from '../store/catalog.js';

/** ISO 8601, UTC. */
export const now = (): string => new Date().toISOString();

/** The row of a call that is no step of the author's. The catalog keeps the first `scheduledAt` it was told. */
export const stepRow = (
  { run, path }: StepPlace,
  kind: StepKind,
  name: string,
): Omit<StepRecord, 'status'> => ({
  run,
  path,
  name,
  kind,
  scheduledAt: now(),
});
