import { cp } from 'node:fs/promises';
import { localCheckpoint } from '../activities/carry-checkpoint.js';
import type { StatePaths } from '../config/state-paths.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { Catalog } from '../store/catalog.js';

export type Checkpoint = {
  /** The attempt that wrote it. */
  readonly attempt: number;
  /** Copies it to a folder that is not there yet. */
  place(folder: string): Promise<void>;
};

export type CheckpointRequest = {
  readonly run: string;
  readonly step: string;
  /** Newer attempts do not count. */
  readonly upTo: number;
};

/** Where checkpoints can be had from. */
export type CheckpointSource = (wanted: CheckpointRequest) => Promise<Checkpoint | undefined>;

/** What attempts left, or write now, on this host. It is copied, never taken. */
export const localCheckpoints =
  (paths: StatePaths): CheckpointSource =>
  async ({ run, step, upTo }) => {
    const found = await localCheckpoint(paths.attempt(run, step, upTo + 1));
    if (!found) return undefined;
    const { attempt, folder: from } = found;
    return { attempt, place: (folder) => cp(from, folder, { recursive: true, verbatimSymlinks: true }) };
  };

/** What was stored while attempts ran, on any host. */
export const storedCheckpoints =
  ({ catalog, store }: { readonly catalog: Catalog; readonly store: ArtifactStore }): CheckpointSource =>
  async ({ run, step, upTo }) => {
    for (const { attempt, digest } of await catalog.checkpoints.list(run, step)) {
      const tree = { digest, type: 'tree' } as const;
      if (attempt > upTo || !(await store.has(tree))) continue;
      return { attempt, place: (folder) => store.place(tree, folder, { mode: 'copy' }) };
    }
    return undefined;
  };

/** The newest of several sources; of equally new ones the first source's. */
export const newestOf =
  (...sources: readonly CheckpointSource[]): CheckpointSource =>
  async (wanted) => {
    const found = await Promise.all(sources.map((source) => source(wanted)));
    return found
      .filter((each) => each !== undefined)
      .reduce<Checkpoint | undefined>(
        (newest, each) => (newest && newest.attempt >= each.attempt ? newest : each),
        undefined,
      );
  };
