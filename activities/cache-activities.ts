import { Context } from '@temporalio/activity';
import type { CacheLookup, StepTask } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import { stepKey } from './cache/step-key.js';
import { usableEntry } from './cache/usable-entry.js';
import { artifactEdges } from './artifact-edges.js';
import { now, stepRow } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';

/** Looking a result up without waiting for anything: what is not there at once the step's own activity finds or computes. */
export function cacheActivities(env: StepEnvironment) {
  return {
    async [activityNames.lookUpResult](task: StepTask): Promise<CacheLookup> {
      const { cancellationSignal: signal } = Context.current();
      try {
        return (await lookUp(task, env, signal)) ?? {};
      } catch (error) {
        if (signal.aborted) throw error;
        // A cache that does not answer is a miss; what is wrong with the step its own attempt will say.
        env.logger.warn({ err: error, run: task.run, step: task.path }, 'the cache does not answer');
        return {};
      }
    },
  };
}

async function lookUp(
  task: StepTask,
  env: StepEnvironment,
  signal: AbortSignal,
): Promise<CacheLookup | undefined> {
  const { run, path, spec, pipeline } = task;
  const { input } = await env.placed.definition(spec);
  const parsed = input.safeParse(task.input);
  if (!parsed.success || !spec.cache) return undefined;
  const found = await stepKey(task, parsed.data, { env, install: false, signal });
  if (!found) return undefined;
  const { entry, reason } = await usableEntry(found, spec.cache, env, signal);
  if (!entry) return { missed: reason };
  const cached = { run: entry.run, path: entry.path };
  const at = now();
  env.projector.add({
    steps: [
      {
        ...stepRow(task, 'step', spec.name),
        input: task.input,
        output: entry.output,
        status: 'completed',
        closedAt: at,
        cached,
      },
    ],
    artifacts: artifactEdges(task, entry.output),
    cacheUses: [{ run, path, step: spec.name, pipeline, ...found, outcome: 'hit', from: cached, at }],
  });
  return { result: { output: entry.output as NonNullable<CacheLookup['result']>['output'], cached } };
}
