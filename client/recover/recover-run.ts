import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { isMillraceError, RunOpen, UnknownRun, UnknownStep } from '../../sdk/errors.js';
import type { RunPlan } from '../../sdk/protocol/messages.js';
import type { RecordedRun } from '../../sdk/recovery/recorded-run.js';
import { isClosed } from '../../sdk/states.js';
import type { StepSpec } from '../../sdk/step-spec.js';
import type { BuildRecord, RunRecord } from '../../store/catalog.js';
import { readLargeCall, readRecordedRun } from '../../store/read-recorded-run.js';
import { restoreValue } from '../../store/values-by-reference.js';
import type { RunHandle, StartOptions } from '../client.js';
import type { ClientParts } from '../client-parts.js';
import { reconcileAll } from '../client-parts.js';
import { askForPlan } from '../dry-run.js';
import { nearestName } from '../nearest-name.js';
import { newRunId } from '../run-id.js';
import { accept, startRun } from '../start-run.js';
import { planRecovery } from './plan-recovery.js';
import type { RecoveryPlan } from './recovery-plan.js';

export type RecoverOptions = Pick<StartOptions, 'runId' | 'timeout'> & {
  /** Paths (`train#2`, `score/train`) or names of steps to run anew, with all that takes what they make. */
  readonly from?: readonly string[];
  /** True: plans only, and starts nothing. */
  readonly plan?: boolean;
  /** Called with the plan before anything starts; what it throws keeps the run from starting. */
  readonly onPlan?: (plan: RecoveryPlan) => void;
  /** Default: those of the run that is recovered. */
  readonly tags?: Readonly<Record<string, string>>;
};

export type Recovery = {
  readonly plan: RecoveryPlan;
  /** Not there when only the plan was asked for. */
  readonly run?: RunHandle;
};

/** Plans a new run that goes on with the results of a closed one, and starts it. */
export async function recoverRun(
  parts: ClientParts,
  id: string,
  { from = [], plan: planOnly = false, onPlan, ...options }: RecoverOptions,
): Promise<Recovery> {
  const { catalog, store } = parts;
  const former = await closedRun(id, parts);
  const { pipeline } = former;
  const input = await restoreValue(former.input, store);
  const { build } = await accept(parts, pipeline, input);
  const names = build.pipelines.find(({ name }) => name === pipeline)?.steps ?? [];
  const specs = build.steps.filter(({ name }) => names.includes(name));
  const [recorded, where, code] = await Promise.all([
    readRecordedRun(id, { catalog, store }),
    todaysPlan(parts, { name: pipeline, build, specs }),
    store.read(build.nodeBundle).then(text),
  ]);
  checkFrom(from, recorded, build);
  const newRun = options.runId ?? newRunId(pipeline);
  const tags = options.tags ?? former.tags;
  const plan = await planRecovery({
    recorded,
    read: (run) => readRecordedRun(run, { catalog, store }),
    readLarge: (run, path) => readLargeCall(run, path, { catalog, store }),
    pipeline,
    input,
    tags,
    newRun,
    build: build.id,
    specs: build.steps,
    plan: where,
    code,
    from,
    store,
  });
  onPlan?.(plan);
  if (planOnly) return { plan };
  const run = await startRun(parts, pipeline, input, {
    ...options,
    runId: newRun,
    tags,
    recover: { run: id, from },
  });
  return { plan, run };
}

/** @throws UnknownRun; RunOpen for one that is not at its end */
async function closedRun(id: string, parts: ClientParts): Promise<RunRecord> {
  const { catalog } = parts;
  const known = await catalog.run(id);
  if (known && !isClosed(known.status)) await reconcileAll([known], parts);
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  if (isClosed(run.status)) return run;
  throw new RunOpen('The run has not ended: only a closed one can be recovered.', {
    run: id,
    hint: `Wait for its end, or \`millrace cancel ${id}\`.`,
  });
}

/** Where today's steps would run, in which images. Undefined where no worker says it. */
async function todaysPlan(
  parts: ClientParts,
  about: { readonly name: string; readonly build: BuildRecord; readonly specs: readonly StepSpec[] },
): Promise<RunPlan | undefined> {
  if (!about.specs.some(({ isolation, image }) => isolation === 'container' && image))
    return { executor: 'process', images: {} };
  const until = performance.now() + workerWithinMs;
  for (;;) {
    try {
      return await askForPlan(parts, about);
    } catch (error) {
      const code = isMillraceError(error) ? error.code : '';
      if (code === 'NO_BUILD' && performance.now() < until) await pause(lookMs);
      else if (code === 'NO_BUILD' || code === 'TEMPORAL_UNAVAILABLE') return undefined;
      else throw error;
    }
  }
}

/** The worker of a build that was published just now is about to ask for tasks. */
const workerWithinMs = 2_000;
const lookMs = 200;

/** @throws UnknownStep with the nearest name */
function checkFrom(from: readonly string[], { calls }: RecordedRun, build: BuildRecord): void {
  const known = new Set([
    ...calls.flatMap(({ path, name, child }) => [
      path,
      name,
      ...(child?.calls ?? []).flatMap((each) => [each, `${path}/${each}`]),
    ]),
    ...build.steps.map(({ name }) => name),
  ]);
  const unknown = from.find((each) => !known.has(each));
  if (unknown === undefined) return;
  const names = [...known];
  const nearest = nearestName(unknown, names);
  throw new UnknownStep(`There is no step \`${unknown}\` to recover from.`, {
    hint: `${nearest === undefined ? '' : `Did you mean \`${nearest}\`? `}There are: ${names.slice(0, 20).join(', ')}.`,
    fields: { known: names },
  });
}
