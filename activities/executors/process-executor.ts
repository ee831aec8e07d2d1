import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, open, rm, symlink } from 'node:fs/promises';
import { constants } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { contract } from '../../sdk/step-contract.js';
import { diskUsage } from './disk-usage.js';
import type {
  Execution,
  ExecutionEnd,
  ExecuteOptions,
  Executor,
  InterpreterResolver,
  WorkOptions,
} from './executor.js';
import { noEnd } from './executor.js';
import type { ExecutionLimits } from './execution-limits.js';
import { watchLimits } from './execution-limits.js';
import { bySignal } from './exit-of-container.js';
import { findProgram } from './find-program.js';
import { hostInterpreter } from './host-interpreter.js';
import type { OwnedFolder } from './owned-folder.js';
import type { OutputLog } from './output-log.js';
import type { OutputRate } from './output-rate.js';
import { openOutputLog } from './output-log.js';
import { processEnvironment } from './process-environment.js';
import { endProcesses } from './process-leftovers.js';
import type { PythonEnvironment } from './python-environment.js';
import { pythonEnvironment } from './python-environment.js';
import type { SecretFiles } from './secret-files.js';
import { writeSecretFiles } from './secret-files.js';
import { watchSession } from './session-watch.js';
import type { SharedWork } from './shared-work.js';
import { createSharedWork } from './shared-work.js';
import { makeTemporaryFolder } from './temporary-folder.js';

export type ProcessExecutorOptions = {
  /** Where PATH, HOME, LANG and settings of pip come from. Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** How much an attempt may print. Default: as much as it likes. */
  readonly output?: OutputRate;
};

/** Runs each attempt as a process group on this host, as this user. */
export function createProcessExecutor({ env = process.env, output }: ProcessExecutorOptions = {}): Executor &
  InterpreterResolver {
  const share = createSharedWork<PythonEnvironment>();
  return {
    kind: 'process',
    unavailable: () =>
      Promise.resolve(
        process.platform === 'win32'
          ? 'Steps run as processes on Linux and macOS only: run them in Docker, or the worker under WSL.'
          : undefined,
      ),
    find: () => Promise.resolve('absent'),
    execute: (execution, options) => execute({ execution, env, share, output }, options),
    release: () => Promise.resolve(),
    interpreter: (request, options) => hostInterpreter(request, { ...options, env, share }),
  };
}

type Run = {
  readonly execution: Execution;
  readonly env: NodeJS.ProcessEnv;
  readonly share: SharedWork<PythonEnvironment>;
  readonly output: OutputRate | undefined;
};

/** A process ends with its worker's pipes: one that is to be left is stopped. */
async function execute(run: Run, { leave, ...given }: ExecuteOptions): Promise<ExecutionEnd> {
  const signal = leave ? AbortSignal.any([given.signal, leave]) : given.signal;
  const end = await runToEnd(run, { ...given, signal });
  return end.reason === 'cancelled' && !given.signal.aborted ? { ...end, reason: 'left' } : end;
}

async function runToEnd({ execution, env, share, output }: Run, options: WorkOptions): Promise<ExecutionEnd> {
  const { folder, source, secrets } = execution;
  const log = await openOutputLog(execution.log, {
    secrets: secrets.map(({ value }) => value),
    limit: output,
  });
  const secretsFolder = path.join(folder, contract.secrets);
  let temporary: OwnedFolder | undefined;
  let files: SecretFiles | undefined;
  try {
    temporary = await makeTemporaryFolder(execution);
    files = await writeSecretFiles(execution, { exports: false });
    if (options.signal.aborted) return noEnd('cancelled');
    await layOut(folder);
    if (files) {
      await rm(secretsFolder, { recursive: true, force: true });
      await symlink(files.folder, secretsFolder);
    }
    const python =
      source === undefined ? undefined : await pythonEnvironment(source, { ...options, env, share });
    // What was told of the installing is over.
    if (python) options.onDetail?.('');
    const program = await limitedCommand(execution, env);
    const end = await runProgram({
      execution,
      program,
      env: processEnvironment({ execution, env, python, temporary: temporary.folder }),
      temporary: temporary.folder,
      log,
      signal: options.signal,
    });
    return { ...end, packages: python?.packages };
  } catch (error) {
    if (options.signal.aborted) return noEnd('cancelled');
    throw error;
  } finally {
    await log.close();
    if (files) await rm(secretsFolder, { force: true });
    await files?.remove();
    await temporary?.remove();
  }
}

async function layOut(folder: string): Promise<void> {
  const names = [contract.outputs, contract.checkpoint];
  await Promise.all(names.map((name) => mkdir(path.join(folder, name), { recursive: true })));
  await (await open(path.join(folder, contract.events), 'a')).close();
}

/** No core dumps, and no single file far over the disk limit, where the system can say so before the program starts. */
async function limitedCommand({ command, folder, source, code, spec }: Execution, env: NodeJS.ProcessEnv) {
  const asked = command({ folder, source, code });
  const prlimit = await findProgram('prlimit', env['PATH'] ?? '');
  if (!prlimit) return asked;
  const largest = spec.resources.disk + 1024 * 1024;
  return [prlimit, '--core=0:0', `--fsize=${largest}:${largest}`, '--', ...asked];
}

type Program = {
  readonly execution: Execution;
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly temporary: string;
  readonly log: OutputLog;
  readonly signal: AbortSignal;
};

async function runProgram(run: Program): Promise<ExecutionEnd> {
  const { execution, program, env, log } = run;
  const [file = '', ...args] = program;
  const from = performance.now();
  const child = spawn(file, args, {
    cwd: execution.source ?? execution.folder,
    env,
    // Its own session, so that all of it can be found and ended together.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = exitOf(child);
  const drained = Promise.all([pipeline(child.stdout, log.sinks.out), pipeline(child.stderr, log.sinks.err)]);
  drained.catch(() => undefined);
  const { pid } = child;
  if (pid === undefined) return refused(await exited, log);
  const limits = limitsOf(run, pid);
  const watch = watchSession(pid, {
    memory: execution.spec.resources.memory,
    onOutOfMemory: () => limits.kill('out-of-memory'),
  });
  try {
    // A log that cannot be written ends the program: nothing would be known of it.
    const exit = await Promise.race([exited, drained.then(() => exited)]);
    const durationMs = Math.round(performance.now() - from);
    await endProcesses(pid, execution);
    await Promise.race([drained, pause(drainWithinMs, undefined, { ref: false })]);
    await limits.close();
    return {
      ...noEnd(limits.reason() ?? (exit.killed ? 'stopped-outside' : 'exited')),
      exitCode: exit.code,
      durationMs,
      cpuSeconds: watch.cpuSeconds(),
      peakMemoryBytes: watch.peakMemoryBytes(),
    };
  } finally {
    watch.stop();
    await limits.close();
    await endProcesses(pid, execution);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** Pipes close once nobody holds them; a process nobody could find might. */
const drainWithinMs = 2_000;

function limitsOf({ execution, temporary, log, signal }: Program, pid: number): ExecutionLimits {
  const { folder, spec } = execution;
  const given = new Set([contract.inputs, contract.secrets].map((name) => path.join(folder, name)));
  return watchLimits({
    timeoutMs: spec.timeoutMs,
    disk: spec.resources.disk,
    usage: async () => log.size() + (await diskUsage(folder, given)) + (await diskUsage(temporary)),
    send: (name) => {
      signalGroup(pid, name);
      return Promise.resolve();
    },
    graceMs: spec.stopGraceMs,
    signal,
  });
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // It has ended by itself.
  }
}

type Exit = {
  readonly code: number;
  /** By SIGTERM or SIGKILL. */
  readonly killed?: boolean;
  readonly error?: NodeJS.ErrnoException;
};

/** Exit code as a shell gives it: 128 and the signal's number where one ended it, 127 for a program that is not there. */
function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: error.code === 'ENOENT' ? 127 : 126, error }),
    );
    child.once('exit', (code, name) =>
      resolve({
        code: code ?? 128 + (name ? constants.signals[name] : 0),
        // A program may tell by its own exit code that it, or one that it started, was stopped.
        killed: name === 'SIGTERM' || name === 'SIGKILL' || bySignal.has(code ?? 0),
      }),
    );
  });
}

async function refused({ code, error }: Exit, log: OutputLog): Promise<ExecutionEnd> {
  await log.note(`millrace: the program could not be started: ${error?.message}`);
  return { ...noEnd('exited'), exitCode: code };
}
