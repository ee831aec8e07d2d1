import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Execution } from '../activities/executors/executor.js';
import { makeExecution } from '../activities/make-execution.js';
import type { Session } from '../activities/sessions.js';
import { layOutFolder } from '../activities/step-folder.js';
import { workKey } from '../activities/work-key.js';
import { StepInputInvalid } from '../sdk/errors.js';
import { inputProblems } from '../sdk/input-problems.js';
import type { StepTask } from '../sdk/protocol/messages.js';
import { contract } from '../sdk/step-contract.js';
import type { StepDefinition } from '../sdk/step.js';
import type { DebugEnvironment } from './debug-environment.js';
import type { CheckpointSource } from './newest-checkpoint.js';
import type { RecordedStep } from './recorded-step.js';

export type LaidOut = {
  readonly execution: Execution;
  readonly definition: StepDefinition;
  /** Validated, defaults filled in. */
  readonly input: unknown;
  /** What differs from a real attempt, as sentences for people. */
  readonly notes: readonly string[];
};

export type LayOutOptions = {
  readonly session: Session;
  /** Undefined: none is wanted. */
  readonly checkpoints: CheckpointSource | undefined;
  /** Whether its inputs are the session's own: they may be written to, from outside a container too. */
  readonly own: boolean;
  readonly signal: AbortSignal;
  readonly env: DebugEnvironment;
};

/**
 * Lays a step out in a session as a worker lays out an attempt: the same folder, source, code, helper, environment. Secrets that this
 * host does not have are missing, and said to be.
 * @throws StepInputInvalid, ArtifactMissing
 */
export async function layOutSession(
  { task: recorded, attempt, notes }: Pick<RecordedStep, 'task' | 'attempt' | 'notes'>,
  { session, checkpoints, own, signal, env }: LayOutOptions,
): Promise<LaidOut> {
  // What runs inside a worker runs as a process here: its bundle is a program as every function step's is.
  const task: StepTask = recorded.executor === 'worker' ? { ...recorded, executor: 'process' } : recorded;
  const folder = path.join(session.folder, 'step');
  await mkdir(folder, { recursive: true });
  const definition = await env.placed.definition(task.spec);
  const input = validInput(definition, task);
  const mode = task.executor === 'docker' && !own ? 'link' : 'copy';
  const upToHere = { run: task.run, step: task.path, upTo: attempt };
  const checkpoint = await checkpoints?.({ ...upToHere, work: workKey(recorded) });
  const newest = await checkpoints?.(upToHere);
  await checkpoint?.place(path.join(folder, contract.checkpoint));
  await layOutFolder({ folder, input, mode, store: env.store, signal });
  const { found, missing } = await secretsHere(task, env);
  const execution = await makeExecution({
    task,
    attempt,
    installation: session.installation,
    input,
    folder,
    log: path.join(session.folder, 'log'),
    secrets: found,
    env,
  });
  return {
    execution,
    definition,
    input,
    notes: [
      ...notes,
      ...(recorded.executor === 'worker'
        ? ['It runs inside a worker; here it is a process of its own.']
        : []),
      ...(checkpoint ? [`Its checkpoint is that of attempt ${checkpoint.attempt}.`] : []),
      ...(newest && newest.attempt !== checkpoint?.attempt
        ? [
            `The checkpoint of attempt ${newest.attempt} is of another input, source or image: it is left aside.`,
          ]
        : []),
      ...missing.map(
        (name) => `This host has no secret ${name} (${env.secrets.places(name)}): it is missing.`,
      ),
    ],
  };
}

function validInput(definition: StepDefinition, { spec, run, path: step, input }: StepTask): unknown {
  const parsed = definition.input.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = inputProblems(parsed.error);
  throw new StepInputInvalid(`The input of step \`${spec.name}\` is wrong: ${problems.join('; ')}.`, {
    run,
    step,
    fields: { problems },
  });
}

async function secretsHere(
  { spec }: StepTask,
  { secrets }: DebugEnvironment,
): Promise<{ readonly found: Execution['secrets']; readonly missing: readonly string[] }> {
  const all = await Promise.all(
    spec.secrets.map(async (use) => ({ ...use, value: await secrets.value(use.name) })),
  );
  return {
    found: all.flatMap(({ value, ...use }) => (value === undefined ? [] : [{ ...use, value }])),
    missing: all.flatMap(({ name, value }) => (value === undefined ? [name] : [])),
  };
}
