import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Logger } from 'pino';

export type RunCommandOptions = {
  /** Folder it works in. */
  readonly cwd: string;
  readonly logger: Logger;
  /** On its standard input. */
  readonly input: string;
  /** Beside this process's own. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
};

/** Runs a program to its end; what it prints goes to the log. @throws when it does not end with 0, or in time: then it is killed */
export async function runCommand(
  [file = '', ...args]: readonly string[],
  { cwd, logger, input, env, signal }: RunCommandOptions,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn(file, args, {
    cwd,
    env: { ...process.env, ...env },
    // Its own group, so that all of it can be ended.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const kill = () => {
    if (child.pid !== undefined) endGroup(child.pid);
  };
  signal.addEventListener('abort', kill, { once: true });
  try {
    const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, name) => resolve(code ?? name ?? 'SIGKILL'));
    });
    // It need not read what it is given.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const [code, out, errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    const said = `${out}${errors}`.trim();
    if (said)
      logger.info({ command: file, output: said.slice(-longestOutput) }, 'a notification command said');
    signal.throwIfAborted();
    if (code === 0) return;
    const tail = said.slice(-200);
    throw new Error(`${file} ended with ${code}${tail ? `: ${tail}` : ''}`);
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

const longestOutput = 4_000;

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
