import type { StepPlace } from '../protocol/messages.js';
import type { StepKind } from '../states.js';
import type { StepWork } from './step-work.js';

/** What a closed run left for one that recovers it: which calls it made, and what came of each. */
export type RecordedRun = {
  readonly run: string;
  /** By step name, or as its calls name it; none of a step that the build did not have. */
  readonly works: Readonly<Record<string, StepWork>>;
  readonly calls: readonly RecordedCall[];
};

export type RecordedCall = {
  readonly path: string;
  readonly name: string;
  readonly kind: StepKind;
  /** `completed` has a result (an approval: a decision, whichever); `unfinished` ended with its run. */
  readonly outcome: 'completed' | 'failed' | 'unfinished';
  /** What the call was made with, as `MadeCall` has it. Absent with `large`. */
  readonly input?: unknown;
  /** What it gave. Absent with `large`. */
  readonly output?: unknown;
  /** Input and output are read only when they are asked for. */
  readonly large?: true;
  /** Code of its failure. */
  readonly failure?: string;
  /** Who made the result: this call, or the one it was taken from. */
  readonly maker: StepPlace;
  /** Name of content that it made and that is not in the store any more. */
  readonly gone?: string;
  /** Which of the works is its own, where that is not the one of its name: the run was moved to other code. */
  readonly workName?: string;
  /** Why its result cannot be taken though it completed. */
  readonly unusable?: string;
  /** Of a child run: its id, paths and names of all it called, and how many calls these were; those of its own children too. */
  readonly child?: { readonly run: string; readonly calls: readonly string[]; readonly count: number };
};

/** What only the artifact store holds of a call. */
export type LargeCall = { readonly input: unknown; readonly output: unknown };
