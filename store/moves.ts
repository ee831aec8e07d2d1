import type { BuildRecord, Time } from './catalog.js';

/** That a run's workflow is, or may be, served by another build's code than that of its queue. */
export type RunMove = {
  readonly run: string;
  /** Build that the run began with: its queue is that one's for ever. */
  readonly home: string;
  /** Build whose code it may go on with. */
  readonly build: string;
  readonly at: Time;
};

/** Runs that go on with the code of another build than they began with. Workers serve their queue with both. */
export interface Moves {
  /**
   * Notes moves to a build, and keeps it with its content though no run starts on it. A run that was moved before keeps its
   * home.
   */
  begin(build: BuildRecord, moves: readonly RunMove[]): Promise<void>;
  /**
   * Notes that a run is served by the code of another build than its queue's, where nothing is noted of it: a child of a run that
   * was moved, and one whose note was lost.
   */
  add(move: RunMove): Promise<void>;
  /** Takes the note of a move back that came to nothing. One that another has written since stays. @param former what was noted before */
  takeBack(move: RunMove, former: RunMove | undefined): Promise<void>;
  /** Of open runs of a queue. */
  open(queue: string): Promise<readonly RunMove[]>;
  of(run: string): Promise<RunMove | undefined>;
}
