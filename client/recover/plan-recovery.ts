import type { RunPlan } from '../../sdk/protocol/messages.js';
import type { LargeCall, RecordedRun } from '../../sdk/recovery/recorded-run.js';
import type { StepSpec } from '../../sdk/step-spec.js';
import type { ArtifactStore } from '../../store/artifact-store.js';
import { createVirtualClock } from '../../testing/virtual-clock.js';
import { virtualRealms } from '../../testing/virtual-realm.js';
import { planNotes } from './plan-notes.js';
import type { PlannedStep, RecoveryPlan } from './recovery-plan.js';
import { isChanged } from './recovery-plan.js';
import type { Level, Seen } from './simulate-recovery.js';
import { levelOf, simulateRecovery, unreached } from './simulate-recovery.js';

export type PlanRecoveryOptions = {
  /** What the run left. */
  readonly recorded: RecordedRun;
  /** Reads what a child run left. */
  readonly read: (run: string) => Promise<RecordedRun>;
  readonly readLarge: (run: string, path: string) => Promise<LargeCall>;
  readonly pipeline: string;
  readonly input: unknown;
  readonly tags: Readonly<Record<string, string>>;
  /** Id that the new run will have. */
  readonly newRun: string;
  readonly build: string;
  /** Today's steps. */
  readonly specs: readonly StepSpec[];
  /** Where they would run; undefined where no worker could be asked. */
  readonly plan: RunPlan | undefined;
  /** The build's pipelines as one file. */
  readonly code: string;
  /** Paths and names of steps to run anew. */
  readonly from: readonly string[];
  readonly store: ArtifactStore;
};

const mostTimers = 10_000;

/**
 * Runs the pipeline function over the recorded results. First it goes as far as it certainly will. Then what runs anew is taken
 * to give what it gave before, so that the rest of the way is seen; what takes that, depends on it.
 */
export async function planRecovery(options: PlanRecoveryOptions): Promise<RecoveryPlan> {
  const { recorded, pipeline, input, from, newRun } = options;
  const clock = createVirtualClock({ mostTimers });
  using realms = virtualRealms(options.code, clock);
  const simulation = simulateRecovery(options, { clock, realms });
  const root: Level = {
    prefix: '',
    run: newRun,
    ...levelOf(recorded, options.readLarge),
    from,
    asked: false,
    ended: undefined,
  };
  void simulation.run(root, pipeline, input);
  let endless = false;
  do endless = (await clock.untilQuiet()) === 'endless';
  while (!endless && !root.ended && simulation.assume());
  return summedUp(options, { ...simulation.seen(), root, endless });
}

export type Ended = Seen & { readonly root: Level; readonly endless: boolean };

function summedUp(options: PlanRecoveryOptions, ended: Ended): RecoveryPlan {
  const { recorded, pipeline, build } = options;
  const { root, levels, waiting, granted } = ended;
  const left = unreached(levels).map(({ level, call }) => ({ ...call, path: `${level.prefix}${call.path}` }));
  // A way that was seen to its end leaves nothing open.
  const whole = root.ended && root.ended.error === undefined;
  const on = waiting.length > 0 ? waiting : granted;
  const after = left.map(({ path, name, kind }): PlannedStep => {
    const why = on.length > 0 ? `called after ${on.join(', ')}` : 'the run ends before it';
    return { path, name, kind, action: 'depends', on, why };
  });
  const steps = whole ? ended.steps : [...ended.steps, ...after];
  const count = (action: PlannedStep['action']) => steps.filter((step) => step.action === action).length;
  return {
    run: recorded.run,
    pipeline,
    build,
    planned: recorded.calls.reduce(
      (sum, { kind, child }) => sum + (kind === 'pipeline' ? (child?.count ?? 0) : 1),
      0,
    ),
    reused: count('reuse'),
    runs: count('run'),
    depends: count('depends'),
    changed: steps.filter(isChanged).length,
    steps,
    dropped: whole ? left.map(({ path }) => path) : [],
    notes: planNotes(options, ended),
  };
}
