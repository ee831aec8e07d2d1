import path from 'node:path';
import type { Digest } from '../../sdk/artifact.js';
import { contract } from '../../sdk/step-contract.js';
import type { TimelineEntry } from '../../store/timeline.js';
import type { StepEnvironment } from '../step-environment.js';

/** Whose checkpoint it is, and what its parts work with. */
export type CheckpointPlace = {
  readonly run: string;
  readonly path: string;
  readonly attempt: number;
  /** Digest of what the step works on and with. */
  readonly work: Digest;
  /** The attempt's folder. */
  readonly folder: string;
  readonly env: Pick<StepEnvironment, 'store' | 'catalog' | 'projector' | 'logger'>;
};

/** What the program writes to. */
export const checkpointFolder = ({ folder }: Pick<CheckpointPlace, 'folder'>): string =>
  path.join(folder, contract.checkpoint);

/** Beside the attempt's folder, where its program cannot reach it, for this worker alone; gone with the step. */
export const pinnedFolder = ({ folder }: Pick<CheckpointPlace, 'folder'>): string =>
  `${folder}.pinned-${process.pid}`;

/** Two lines of one kind in one millisecond would count as one. */
let latest = 0;

/** Adds a line to the step's timeline. */
export function tell(
  { run, path: step, attempt, env }: CheckpointPlace,
  {
    kind,
    text,
    data,
  }: Pick<TimelineEntry, 'kind' | 'text'> & { readonly data?: Readonly<Record<string, unknown>> },
): void {
  latest = Math.max(Date.now(), latest + 1);
  const at = new Date(latest).toISOString();
  env.projector.add({ timeline: [{ run, path: step, attempt, at, kind, text, ...(data && { data }) }] });
}
