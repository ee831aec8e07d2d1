import type { StepPlace } from '../../sdk/protocol/messages.js';
import type { RunReason } from '../../sdk/recovery/decide-reuse.js';
import type { StepKind } from '../../sdk/states.js';

/** What a recovery does about one call of the pipeline. */
export type PlannedStep = {
  /** In the new run; of a child run below the call that starts it: `score/train#2`. */
  readonly path: string;
  readonly name: string;
  readonly kind: StepKind;
  /**
   * `reuse`: its recorded result is taken, of a gate judged again on the same numbers. `run`: it runs anew. `depends`: its input
   * comes from what runs anew, or it is called after that: reused if it is called with the same input after all.
   */
  readonly action: 'reuse' | 'run' | 'depends';
  /** In words. */
  readonly why: string;
  /** Of `run`. */
  readonly reason?: RunReason;
  /** Of `depends`: paths of what it depends on. */
  readonly on?: readonly string[];
  /** Of `reuse`: who made it. */
  readonly from?: StepPlace;
};

/** What a recovery would do, found by running the pipeline function over the recorded results. */
export type RecoveryPlan = {
  /** The run that is recovered. */
  readonly run: string;
  readonly pipeline: string;
  /** The build that the new run is made with. */
  readonly build: string;
  /** Calls the former run made, those of child runs too. */
  readonly planned: number;
  readonly reused: number;
  readonly runs: number;
  readonly depends: number;
  /** Of those that run: because their code, image, command or input is another. */
  readonly changed: number;
  /** In the order of the calls. */
  readonly steps: readonly PlannedStep[];
  /** Calls of the former run that today's pipeline does not make. */
  readonly dropped: readonly string[];
  /** What is not certain, in sentences. */
  readonly notes: readonly string[];
};

/** `planned 12, reused 9, run 1, depends 2, changed 1 because score: source: score.py changed`. */
export function planSummary({ planned, reused, runs, depends, changed, steps }: RecoveryPlan): string {
  const changes = steps.filter(isChanged).map(({ path, why }) => `${path}: ${why}`);
  return [
    `planned ${planned}`,
    `reused ${reused}`,
    `run ${runs}`,
    ...(depends > 0 ? [`depends ${depends}`] : []),
    `changed ${changed}${changes.length > 0 ? ` because ${shortened(changes)}` : ''}`,
  ].join(', ');
}

export const isChanged = ({ reason }: PlannedStep): boolean =>
  reason?.kind === 'changed' ||
  reason?.kind === 'input' ||
  (reason?.kind === 'failed' && reason.parts !== undefined);

/** The same change of many calls is said once. */
function shortened(changes: readonly string[]): string {
  const most = 3;
  const shown = changes.slice(0, most).join('; ');
  return changes.length > most ? `${shown}; and ${changes.length - most} more` : shown;
}
