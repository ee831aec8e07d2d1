import type { RunPlan } from '../sdk/protocol/messages.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type { AttemptRecord, BuildRecord, Catalog, RunRecord, StepRecord } from './catalog.js';
import { eachLimited } from './each-limited.js';

/** What made what a step gave. */
export type CodeOfStep = {
  /** The run that made it: of a result that was taken over, not the one that took it. */
  readonly run: string;
  readonly build: string;
  /** Undefined where the build is gone, or has no such step. */
  readonly spec: StepSpec | undefined;
  readonly plan: RunPlan | undefined;
};

/**
 * Which build's code the steps of a run ran. A run that was moved goes on with other code than it began with, so its attempts say
 * it, and where a result was taken over, those of its maker.
 * @returns undefined for a step of which nobody knows it
 */
export async function codeOfSteps(
  run: RunRecord,
  { steps, attempts }: { readonly steps: readonly StepRecord[]; readonly attempts: readonly AttemptRecord[] },
  catalog: Catalog,
): Promise<(step: StepRecord) => CodeOfStep | undefined> {
  const moved = await wasMoved(run.id, catalog);
  const own = attemptsByPath(attempts);
  const madeBy = async (step: StepRecord): Promise<Omit<CodeOfStep, 'spec'> | undefined> => {
    const maker = step.reused ?? step.cached;
    if (maker && moved) return buildOfMaker(maker, catalog);
    const build = (maker ? undefined : own(step.path)?.build) ?? (moved ? undefined : run.build);
    return build === undefined ? undefined : { run: run.id, build, plan: run.plan };
  };
  const read = async (step: StepRecord) => [step.path, await madeBy(step)] as const;
  const made = new Map(
    await eachLimited(
      steps.filter(({ kind }) => kind === 'step'),
      read,
      { limit: 16 },
    ),
  );
  const ids = new Set([...made.values()].flatMap((code) => code?.build ?? []));
  const specs = new Map(
    await Promise.all([...ids].map(async (id) => [id, specsOf(await catalog.build(id))] as const)),
  );
  return ({ path, name }) => {
    const code = made.get(path);
    return code && { ...code, spec: specs.get(code.build)?.get(name) };
  };
}

/** Whether a run may have gone on with another build's code than it began with. */
export const wasMoved = async (run: string, catalog: Catalog): Promise<boolean> =>
  (await catalog.moves.of(run)) !== undefined;

async function buildOfMaker(
  { run: id, path }: { readonly run: string; readonly path: string },
  catalog: Catalog,
): Promise<Omit<CodeOfStep, 'spec'> | undefined> {
  const run = await catalog.run(id);
  if (!run) return undefined;
  const attempt = attemptsByPath(await catalog.attempts(id, path))(path);
  const build = attempt?.build ?? ((await wasMoved(id, catalog)) ? undefined : run.build);
  return build === undefined ? undefined : { run: id, build, plan: run.plan };
}

/** The attempt that a step's result is of, else its newest one. */
function attemptsByPath(attempts: readonly AttemptRecord[]): (path: string) => AttemptRecord | undefined {
  const newest = new Map<string, AttemptRecord>();
  for (const each of attempts) {
    const known = newest.get(each.path);
    if (!known || each.status === 'completed' || known.status !== 'completed') newest.set(each.path, each);
  }
  return (path) => newest.get(path);
}

const specsOf = (build: BuildRecord | undefined): ReadonlyMap<string, StepSpec> =>
  new Map((build?.steps ?? []).map((spec) => [spec.name, spec]));
