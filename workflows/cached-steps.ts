import { isCancellation, proxyLocalActivities } from '@temporalio/workflow';
import { walkArtifacts } from '../sdk/artifact.js';
import { isMillraceError } from '../sdk/errors.js';
import type { CacheLookup, RunCache, StepPlace, StepResult, StepTask } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import type { StepSpec } from '../sdk/step-spec.js';

const looking = proxyLocalActivities<{
  [activityNames.lookUpResult](task: StepTask): Promise<CacheLookup>;
}>({ startToCloseTimeout: '2 minutes', retry: { maximumInterval: '10s', maximumAttempts: 3 } });

export type RunStep = (task: StepTask) => Promise<StepResult>;

/** What a run does with a step's cache; undefined where it is not cached. */
export function cacheMode(
  { name, cache }: StepSpec,
  run: RunCache | undefined,
): StepTask['cache'] | undefined {
  if (!cache || run?.use === false) return undefined;
  return run?.refresh.includes(name) ? 'refresh' : 'use';
}

/** The cached steps of one run. */
export interface CachedSteps {
  /**
   * Takes a result that is there, at the price of a local activity, else runs the step. A step that finds the content of a
   * cached input lost has that input computed again, and is run once more.
   */
  run(task: StepTask, execute: RunStep): Promise<StepResult>;
}

/** @param options.remade is told of a step that had been taken, and was then computed again */
export function cachedSteps({
  remade,
}: {
  readonly remade: (path: string, cached: StepPlace | undefined) => void;
}): CachedSteps {
  /** What was taken, by the digests it brought into the run: its content may turn out lost only when it is read. */
  const taken = new Map<string, Taken>();

  async function once(task: StepTask, execute: RunStep): Promise<StepResult> {
    const { result, missed } = task.cache === 'use' ? await lookUp(task) : {};
    const got = result ?? (await execute(missed === undefined ? task : { ...task, missed }));
    if (got.cached) {
      const made: Taken = { task, execute, restored: undefined };
      walkArtifacts(got.output, ({ digest }) => taken.set(digest, made));
    }
    return got;
  }

  /** Computes the step anew, once for all who miss what it made. @returns the digests that are there again */
  function restored(made: Taken): Promise<ReadonlySet<string>> {
    made.restored ??= run({ ...made.task, cache: 'refresh' }, made.execute).then(({ output, cached }) => {
      remade(made.task.path, cached);
      const digests = new Set<string>();
      walkArtifacts(output, ({ digest }) => digests.add(digest));
      return digests;
    });
    return made.restored;
  }

  /** @returns whether lost inputs were computed again, and came back as they were */
  async function restore(input: unknown): Promise<boolean> {
    const lost: { readonly digest: string; readonly made: Taken }[] = [];
    walkArtifacts(input, ({ digest }) => {
      const made = taken.get(digest);
      if (made) lost.push({ digest, made });
    });
    const back = await Promise.all(lost.map(async ({ digest, made }) => (await restored(made)).has(digest)));
    return back.length > 0 && back.every(Boolean);
  }

  async function run(task: StepTask, execute: RunStep): Promise<StepResult> {
    try {
      return await once(task, execute);
    } catch (error) {
      if (!isLostContent(error) || !(await restore(task.input))) throw error;
      return once(task, execute);
    }
  }
  return { run };
}

type Taken = {
  readonly task: StepTask;
  readonly execute: RunStep;
  restored: Promise<ReadonlySet<string>> | undefined;
};

/** A look that comes to nothing costs a computation, never the step. */
async function lookUp(task: StepTask): Promise<CacheLookup> {
  try {
    return await looking[activityNames.lookUpResult](task);
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { missed: 'the cache did not answer' };
  }
}

const isLostContent = (error: unknown): boolean =>
  isMillraceError(error) && ['ARTIFACT_MISSING', 'ARTIFACT_CORRUPT'].includes(error.code);
