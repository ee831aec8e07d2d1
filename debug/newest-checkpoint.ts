import { cp } from 'node:fs/promises';
import { localCheckpoints as leftHere } from '../activities/carry-checkpoint.js';
import { isOfWork } from '../activities/work-key.js';
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
  /** Digest of what the step works on and with: one of other work is none. Default: any counts. */
  readonly work?: string;
};

const isWanted = ({ work }: CheckpointRequest): ((found: { readonly work?: string }) => boolean) =>
  work === undefined ? () => true : isOfWork(work);

/** Where checkpoints can be had from. */
export type CheckpointSource = (wanted: CheckpointRequest) => Promise<Checkpoint | undefined>;

/** What attempts left, or write now, on this host. It is copied, never taken. */
export const localCheckpoints =
  (paths: StatePaths): CheckpointSource =>
  async (wanted) => {
    const { run, step, upTo } = wanted;
    const found = (await leftHere(paths.attempt(run, step, upTo + 1))).find(isWanted(wanted));
    if (!found) return undefined;
    const { attempt, folder: from } = found;
    return { attempt, place: (folder) => cp(from, folder, { recursive: true, verbatimSymlinks: true }) };
  };

/** What was stored while attempts ran, on any host. */
export const storedCheckpoints =
  ({ catalog, store }: { readonly catalog: Catalog; readonly store: ArtifactStore }): CheckpointSource =>
  async (wanted) => {
    const { run, step, upTo } = wanted;
    for (const { attempt, digest } of (await catalog.checkpoints.list(run, step)).filter(isWanted(wanted))) {
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
