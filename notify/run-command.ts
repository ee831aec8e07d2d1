import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
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

/**
 * Runs a program to its end; what it prints goes to the log. What it left running is not waited for, though it may hold its pipes.
 * @throws when it does not end with 0, or in time: then it is killed with all of its group
 */
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
  const pipes = [child.stdout, child.stderr];
  const words = pipes.map(lastWords);
  const said = () => words.map((last) => last()).join('').trim(); // prettier-ignore
  // It need not read what it is given.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  let kill = () => undefined as void;
  try {
    const code = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
      kill = () => {
        if (child.pid !== undefined) endGroup(child.pid);
        // Whatever becomes of what it started elsewhere.
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', kill, { once: true });
      child.once('error', reject);
      child.once('exit', (status, name) => resolve(status ?? name ?? 'SIGKILL'));
    });
    await ended(pipes);
    if (code === 0) return;
    const tail = said().slice(-200);
    throw new Error(`${file} ended with ${code}${tail ? `: ${tail}` : ''}`);
  } finally {
    signal.removeEventListener('abort', kill);
    for (const pipe of [child.stdin, ...pipes]) pipe.destroy();
    const output = said().slice(-longestOutput);
    if (output) logger.info({ command: file, output }, 'a notification command said');
  }
}

const longestOutput = 4_000;
/** What a program wrote before it ended is there at once; what another process may still write is nobody's message. */
const lastWordsMs = 1_000;

/** Reads a stream and keeps its end. */
function lastWords(stream: Readable): () => string {
  let kept = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-longestOutput);
  });
  stream.on('error', () => undefined);
  return () => kept.toString('utf8');
}

async function ended(pipes: readonly Readable[]): Promise<void> {
  const timer = setTimeout(() => {
    for (const pipe of pipes) pipe.destroy();
  }, lastWordsMs);
  await Promise.all(pipes.map((pipe) => finished(pipe).catch(() => undefined)));
  clearTimeout(timer);
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
