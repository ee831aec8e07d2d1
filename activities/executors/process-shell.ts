import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm, symlink } from 'node:fs/promises';
import { constants } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { contract } from '../../sdk/step-contract.js';
import type { Execution } from './executor.js';
import { findProgram } from './find-program.js';
import { endProcesses } from './process-leftovers.js';
import { processEnvironment } from './process-environment.js';
import { pythonEnvironment } from './python-environment.js';
import { writeSecretFiles } from './secret-files.js';
import { createSharedWork } from './shared-work.js';
import type { ShellOptions, Terminal } from './terminal.js';
import { makeTemporaryFolder } from './temporary-folder.js';

/**
 * A shell on this host as an attempt's process would be: the same folder, interpreter and environment, without its limits. What
 * it starts ends with it.
 * @returns the shell's exit code
 * @throws DependenciesFailed
 */
export async function openProcessShell(
  execution: Execution,
  { terminal, signal }: ShellOptions,
): Promise<number> {
  const { env } = process;
  const { folder, source } = execution;
  const secretsFolder = path.join(folder, contract.secrets);
  const temporary = await makeTemporaryFolder(execution);
  const secrets = await writeSecretFiles(execution, { exports: false });
  try {
    if (secrets) await symlink(secrets.folder, secretsFolder);
    const python =
      source === undefined
        ? undefined
        : await pythonEnvironment(source, { signal, env, share: createSharedWork() });
    const given = processEnvironment({ execution, env, python, temporary: temporary.folder });
    const term = env['TERM'];
    const shell = (await findProgram('bash', given['PATH'] ?? '')) ?? '/bin/sh';
    return await converse({
      shell,
      cwd: source ?? folder,
      env: { ...given, ...(terminal.stdin.isTTY && term !== undefined && { TERM: term }) },
      execution,
      terminal,
      signal,
    });
  } finally {
    if (secrets) await rm(secretsFolder, { force: true });
    await secrets?.remove();
    await temporary.remove();
  }
}

/** What was printed last is still being read. */
const drainWithinMs = 2_000;

async function converse({
  shell,
  cwd,
  env,
  execution,
  terminal,
  signal,
}: ShellOptions & {
  readonly shell: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly execution: Execution;
}): Promise<number> {
  signal.throwIfAborted();
  // The person's own terminal where it is one: job control and keys work as in any shell.
  const own = terminal.stdin === process.stdin;
  const child = spawn(shell, [], { cwd, env, stdio: own ? 'inherit' : 'pipe' });
  if (!own) connect(child, terminal);
  const end = async () => {
    if (child.pid === undefined) return;
    child.kill('SIGKILL');
    await endProcesses(child.pid, execution);
  };
  const stop = () => void end();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const closed = once(child, 'close');
    closed.catch(() => undefined);
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (exit, name) => resolve(exit ?? 128 + (name ? constants.signals[name] : 0)));
    });
    signal.throwIfAborted();
    // What it left in the background holds its output open.
    await end();
    await Promise.race([closed, pause(drainWithinMs, undefined, { ref: false })]);
    return code;
  } finally {
    signal.removeEventListener('abort', stop);
    await end();
  }
}

function connect({ stdin, stdout, stderr }: ChildProcess, terminal: Terminal): void {
  if (!stdin || !stdout || !stderr) return;
  stdin.on('error', () => undefined);
  terminal.stdin.pipe(stdin);
  stdout.pipe(terminal.stdout, { end: false });
  stderr.pipe(terminal.stderr, { end: false });
}
