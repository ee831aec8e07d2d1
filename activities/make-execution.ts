import { createHash } from 'node:crypto';
import path from 'node:path';
import { renderCommand } from '../sdk/command-template.js';
import type { StepTask } from '../sdk/protocol/messages.js';
import type { Execution, ExecutionIdentity, SeenPaths } from './executors/executor.js';
import type { StepEnvironment } from './step-environment.js';

export type ExecutionOptions = Omit<ExecutionIdentity, 'run' | 'step' | 'key'> & {
  readonly task: StepTask;
  /** Validated, defaults filled in. */
  readonly input: unknown;
  /** The step's folder, laid out already. */
  readonly folder: string;
  readonly log: string;
  readonly secrets: Execution['secrets'];
  readonly env: Pick<StepEnvironment, 'placed' | 'store'>;
};

/** What an executor is given for a task: its command, with source, code and helper placed on this host. */
export async function makeExecution(options: ExecutionOptions): Promise<Execution> {
  const { task, attempt, installation, input, folder, log, secrets, env } = options;
  const { spec } = task;
  return {
    installation,
    run: task.run,
    step: task.path,
    attempt,
    key: executionKey(task),
    spec,
    image: task.image,
    command: (seen) => commandOf(task, input, seen),
    folder,
    source: await placeSource(task, folder, env),
    code: spec.run === 'function' && spec.code ? await env.placed.place('code', spec.code) : undefined,
    helper: await env.placed.helper(),
    log,
    secrets,
  };
}

/** What an execution is, whatever attempt it is: a label that tells one work from another. */
export const executionKey = ({ spec, image, input }: Pick<StepTask, 'spec' | 'image' | 'input'>): string =>
  createHash('sha256')
    .update(JSON.stringify([spec, image?.id ?? null, input]))
    .digest('hex');

/** A container sees the shared copy through a read-only mount; a process gets one of its own, which it may write to. */
async function placeSource(
  { executor, spec }: StepTask,
  folder: string,
  env: ExecutionOptions['env'],
): Promise<string | undefined> {
  if (!spec.source) return undefined;
  if (executor === 'docker') return env.placed.place('tree', spec.source);
  const own = path.join(folder, 'source');
  await env.store.place(spec.source, own, { mode: 'copy' });
  return own;
}

function commandOf({ executor, spec }: StepTask, input: unknown, seen: SeenPaths): readonly string[] {
  if (spec.command) return renderCommand(spec.command, input, seen.folder);
  return [executor === 'docker' ? 'node' : process.execPath, seen.code ?? ''];
}
