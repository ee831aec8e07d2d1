import { InvalidInput } from '../sdk/errors.js';
import type { PromoteTask, RegisterTask } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import type { AliasChange, ModelVersion } from '../sdk/registry.js';
import { now, stepRow } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';
import { whileBeating } from './while-beating.js';

/** Versions and aliases of models. */
export function registryActivities(env: StepEnvironment) {
  return {
    // A store or a catalog that is away is asked for a while.
    [activityNames.register]: (task: RegisterTask) => whileBeating(() => register(task, env)),
    [activityNames.promote]: (task: PromoteTask) => whileBeating(() => promote(task, env)),
  };
}

async function register(
  task: RegisterTask,
  { catalog, projector, store }: StepEnvironment,
): Promise<ModelVersion> {
  const { run, path: step, name, model, metrics, evidence } = task;
  if (!(await store.has(model))) {
    throw new InvalidInput(`The model to register as \`${name}\` is not in the store: ${model.digest}.`, {
      run,
      step,
    });
  }
  const row = stepRow(task, 'register', name);
  const { version } = await catalog.registerVersion({
    run,
    path: step,
    name,
    model,
    metrics,
    evidence,
    createdAt: now(),
  });
  projector.add({
    steps: [
      {
        ...row,
        status: 'completed',
        detail: `version ${version}`,
        output: { name, version },
        closedAt: now(),
      },
    ],
    artifacts: [{ run, path: step, direction: 'input', field: 'model', artifact: model, at: now() }],
  });
  await projector.flush();
  return { name, version, model };
}

async function promote(task: PromoteTask, { catalog, projector }: StepEnvironment): Promise<AliasChange> {
  const { run, path: step, version, alias } = task;
  const row = stepRow(task, 'promote', version.name);
  const change = await catalog.setAlias({
    run,
    path: step,
    name: version.name,
    version: version.version,
    alias,
    at: now(),
  });
  const detail = `${alias}: version ${change.former ?? 'none'} → ${change.version}`;
  projector.add({ steps: [{ ...row, status: 'completed', detail, output: change, closedAt: now() }] });
  await projector.flush();
  return change;
}
