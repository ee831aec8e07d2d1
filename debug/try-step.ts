import path from 'node:path';
import { openDockerShell } from '../activities/executors/docker-shell.js';
import { openProcessShell } from '../activities/executors/process-shell.js';
import type { Execution } from '../activities/executors/executor.js';
import { openSession, sweepSessions } from '../activities/sessions.js';
import { containerPaths } from '../sdk/step-contract.js';
import { restoreValue } from '../store/values-by-reference.js';
import type { DebugEnvironment } from './debug-environment.js';
import type { CommandEnd, DebugTools, ShellEnd, TriedStep, TryOptions } from './debug-tools.js';
import type { LaidOut } from './lay-out-session.js';
import { layOutSession } from './lay-out-session.js';
import { localCheckpoints, newestOf, storedCheckpoints } from './newest-checkpoint.js';
import type { RecordedStep, StepChoice } from './recorded-step.js';
import { recordedStep } from './recorded-step.js';
import { runProgram } from './run-program.js';

/** Opens a shell where an attempt of a step ran. */
export const openStepShell = (
  env: DebugEnvironment,
  choice: StepChoice,
  { terminal = process, ...options }: Parameters<DebugTools['shell']>[1] = {},
): Promise<ShellEnd> =>
  inSession(env, choice, options, async ({ laidOut: { execution }, tried, signal }) => {
    const open = tried.executor === 'docker' ? openDockerShell : openProcessShell;
    return { ...tried, exitCode: await open(execution, { terminal, signal }) };
  });

/** Runs the command of a step as an attempt would. */
export const runStepCommand = (
  env: DebugEnvironment,
  choice: StepChoice,
  { onLine = () => undefined, ...options }: Parameters<DebugTools['command']>[1] = {},
): Promise<CommandEnd> =>
  inSession(env, choice, options, async ({ recorded, laidOut, tried, signal, folder }) => {
    const result = await runProgram(laidOut, {
      executor: tried.executor,
      recorded: await restoreValue(recorded.step.output, env.store),
      artifacts: path.join(folder, 'artifacts'),
      onLine,
      signal,
      env,
    });
    return { ...tried, ...result };
  });

type InSession = {
  readonly recorded: RecordedStep;
  readonly laidOut: LaidOut;
  readonly tried: TriedStep;
  /** The session's. */
  readonly folder: string;
  readonly signal: AbortSignal;
};

type SessionOptions = TryOptions & {
  /** Begins without a checkpoint. */
  readonly fresh?: boolean;
  readonly change?: (recorded: RecordedStep, signal: AbortSignal) => Promise<RecordedStep>;
};

/** Finds a step, lays it out in a session, and has it used there. */
export async function inSession<T>(
  env: DebugEnvironment,
  choice: StepChoice,
  { keep = false, fresh = false, change, onReady, signal = new AbortController().signal }: SessionOptions,
  use: (given: InSession) => Promise<T>,
): Promise<T> {
  const found = await recordedStep(choice, env);
  const recorded = change ? await change(found, signal) : found;
  const { sessions } = env.paths;
  await sweepSessions({ sessions });
  await using session = await openSession({ sessions, installation: env.config.installation });
  if (keep) session.keep();
  const checkpoints = fresh ? undefined : newestOf(localCheckpoints(env.paths), storedCheckpoints(env));
  const laidOut = await layOutSession(recorded, { session, checkpoints, own: keep, signal, env });
  const tried = triedStep(recorded, laidOut);
  onReady?.(tried);
  return await use({ recorded, laidOut, tried, folder: session.folder, signal });
}

function triedStep({ task, attempt }: RecordedStep, { execution, notes }: LaidOut): TriedStep {
  const executor = task.executor === 'docker' ? 'docker' : 'process';
  const { image, folder, run, step } = execution;
  return {
    run,
    step,
    attempt,
    executor,
    ...(image && { image: { reference: image.reference, id: image.id } }),
    command: execution.command(seenPaths(execution, executor)),
    folder,
    notes,
  };
}

const seenPaths = (
  { folder, source, code }: Execution,
  executor: TriedStep['executor'],
): Parameters<Execution['command']>[0] =>
  executor === 'docker'
    ? {
        folder: containerPaths.folder,
        source: source && containerPaths.source,
        code: code && containerPaths.code,
      }
    : { folder, source, code };
