import { proxyLocalActivities } from '@temporalio/workflow';
import { walkArtifacts } from '../sdk/artifact.js';
import { isMillraceError } from '../sdk/errors.js';
import type { CacheLookup, RunCache, StepResult, StepTask } from '../sdk/protocol/messages.js';
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

export function cachedSteps(): CachedSteps {
  /** What was taken, by the digests it brought into the run: its content may turn out lost only when it is read. */
  const taken = new Map<string, { readonly task: StepTask; readonly execute: RunStep }>();

  async function once(task: StepTask, execute: RunStep): Promise<StepResult> {
    const { result, missed }: CacheLookup =
      task.cache === 'use' ? await looking[activityNames.lookUpResult](task) : {};
    const got = result ?? (await execute(missed === undefined ? task : { ...task, missed }));
    if (got.cached) walkArtifacts(got.output, ({ digest }) => taken.set(digest, { task, execute }));
    return got;
  }

  /** Computes lost inputs again. @returns whether all of them came back as they were */
  async function restore(input: unknown): Promise<boolean> {
    const lost = new Map<StepTask, RunStep>();
    const digests: string[] = [];
    walkArtifacts(input, ({ digest }) => {
      const made = taken.get(digest);
      if (made) lost.set(made.task, made.execute);
      if (made) digests.push(digest);
    });
    if (lost.size === 0) return false;
    const back = new Set<string>();
    for (const [task, execute] of lost) {
      const { output } = await execute({ ...task, cache: 'refresh' });
      walkArtifacts(output, ({ digest }) => back.add(digest));
    }
    for (const digest of digests) taken.delete(digest);
    return digests.every((digest) => back.has(digest));
  }

  return {
    async run(task, execute) {
      try {
        return await once(task, execute);
      } catch (error) {
        if (!isLostContent(error) || !(await restore(task.input))) throw error;
        return once(task, execute);
      }
    },
  };
}

const isLostContent = (error: unknown): boolean =>
  isMillraceError(error) && ['ARTIFACT_MISSING', 'ARTIFACT_CORRUPT'].includes(error.code);
