import type { Digest } from '../sdk/artifact.js';
import type { Time } from './catalog.js';

/** A stored checkpoint of a step: a tree of what lay in its folder `checkpoint/`. */
export type CheckpointRecord = {
  readonly run: string;
  readonly path: string;
  readonly attempt: number;
  /** Counts those of one attempt, from 1. */
  readonly sequence: number;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly at: Time;
  /** Digest of what the step worked on and with; of builds of before it was kept there is none. */
  readonly work?: Digest;
};

/** Checkpoints of steps that have not completed. */
export interface Checkpoints {
  /**
   * Notes one that is stored, before its attempt is over; of a step the newest two are kept. One that is the newest already is
   * not noted again.
   * @returns its sequence; undefined when the attempt was given up or another one runs: then nothing is noted
   */
  add(checkpoint: Omit<CheckpointRecord, 'sequence'>): Promise<number | undefined>;
  /** Of one step, or of all of the run: of the newest attempt first, its last one first. */
  list(run: string, path?: string): Promise<readonly CheckpointRecord[]>;
}
