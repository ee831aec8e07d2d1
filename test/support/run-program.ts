import { type ChildProcess, spawn } from 'node:child_process';

export type ProgramOptions = {
  /** Default: this process's. */
  readonly cwd?: string;
  /** Added to this process's environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Text for stdin, which is closed after it. Default: none, closed at once. */
  readonly input?: string;
  /** After which it is killed and the call throws with what it printed. Default 120 000 ms. */
  readonly timeoutMs?: number;
};

export type ProgramEnd = {
  /** `null` when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** A program that was started and may still run. */
export type RunningProgram = AsyncDisposable & {
  readonly pid: number;
  /** What it has printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<ProgramEnd>;
  readonly kill: (signal: NodeJS.Signals) => void;
};

/** Runs a program to its end. A non-zero exit is a result, not an error. */
export async function runProgram(
  command: string,
  args: readonly string[],
  { timeoutMs = 120_000, ...options }: ProgramOptions = {},
): Promise<ProgramEnd> {
  const program = startProgram(command, args, options);
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    program.kill('SIGKILL');
  }, timeoutMs);
  const end = await program.ended.finally(() => clearTimeout(limit));
  if (late) {
    throw new Error(
      `${[command, ...args].join(' ')} still ran after ${timeoutMs} ms; it printed:\n${end.stdout}\n${end.stderr}`,
    );
  }
  return end;
}

/** Starts a program that stays, such as `millrace worker`. Disposing stops it with SIGTERM, and after 10 s with SIGKILL. */
export function startProgram(
  command: string,
  args: readonly string[],
  { cwd, env = {}, input = '' }: Omit<ProgramOptions, 'timeoutMs'> = {},
): RunningProgram {
  const child = spawn(command, args, { cwd, env: environment(env), stdio: 'pipe' });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (printed[name] += text));
  }
  // A program that ends without reading its stdin is no error of ours.
  child.stdin.on('error', () => undefined).end(input);
  const ended = new Promise<ProgramEnd>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, ...printed }));
  });
  // Whoever awaits `ended` sees the failure to start; whoever does not must not bring the test run down.
  ended.catch(() => undefined);
  return {
    pid: child.pid ?? -1,
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    ended,
    kill: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: () => stop(child, ended),
  };
}

/** jest's own variables would change how the program behaves. */
function environment(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  const { NODE_ENV: _, JEST_WORKER_ID: _id, FORCE_COLOR: _colour, ...inherited } = process.env;
  const given = Object.entries({ NO_COLOR: '1', ...inherited, ...env });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

async function stop(child: ChildProcess, ended: Promise<ProgramEnd>): Promise<void> {
  if (child.pid === undefined) return;
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended.finally(() => clearTimeout(force));
}
