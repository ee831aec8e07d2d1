import { appendFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { startCli } from '../support/run-cli.js';
import type { RunningProgram } from '../support/run-program.js';
import { waitFor } from '../support/wait-for.js';

/** A worker under a supervisor: one that ends by itself is started again, as systemd or Kubernetes would. */
export type ChaosWorker = AsyncDisposable & {
  /** Resolves once the first process serves. */
  readonly ready: () => Promise<unknown>;
  /** kill -9, and a new process after a while. */
  readonly kill: (downMs: number) => Promise<void>;
  /** SIGTERM, and a new process when this one has ended. */
  readonly deploy: () => Promise<void>;
  /** Ends of its processes that nobody asked for, and deploys that did not end well. */
  readonly oddEnds: readonly string[];
};

export type ChaosWorkerOptions = {
  readonly name: string;
  readonly project: string;
  readonly env: Readonly<Record<string, string>>;
  /** File that gets what all its processes print. */
  readonly log: string;
};

const restartMs = 1_000;
const serves = /worker started/;

export async function startWorker({ name, project, env, log }: ChaosWorkerOptions): Promise<ChaosWorker> {
  const oddEnds: string[] = [];
  let stopped = false;
  /** That the end of the current process is wanted, and when the next one may start. */
  let asked: { readonly restart: Promise<unknown> } | undefined;
  let current: RunningProgram;
  let next = Promise.resolve();

  async function start(): Promise<void> {
    const worker = await startCli(['worker', '--cwd', project], { env });
    current = worker;
    void worker.ended.then(async ({ exitCode, stdout, stderr }) => {
      const reason = asked;
      asked = undefined;
      await appendFile(log, `${stdout}${stderr}--- ${name} ended with ${exitCode ?? 'a signal'}\n`);
      if (stopped) return;
      if (!reason) oddEnds.push(`${name} ended by itself with ${exitCode}: ${lastWords(stdout + stderr)}`);
      next = (reason?.restart ?? pause(restartMs)).then(() => (stopped ? undefined : start()));
      next.catch((error: unknown) => oddEnds.push(`${name} did not start: ${String(error)}`));
    });
  }
  await start();

  const stopWith = async (signal: NodeJS.Signals, restart: Promise<unknown>): Promise<void> => {
    const ending = current;
    asked = { restart };
    ending.kill(signal);
    const { exitCode, stdout, stderr } = await ending.ended;
    // One that is asked before it serves may end by the signal.
    if (signal === 'SIGTERM' && exitCode !== 0 && serves.test(stdout))
      oddEnds.push(`${name} ended with ${exitCode} when it was to drain: ${lastWords(stdout + stderr)}`);
    await restart;
    await waitFor(() => current !== ending, { what: `the next ${name}`, timeoutMs: 60_000 });
  };
  return {
    ready: () => waitFor(() => serves.test(current.stdout()), { what: name, timeoutMs: 90_000 }),
    kill: (downMs) => stopWith('SIGKILL', pause(downMs)),
    deploy: () => stopWith('SIGTERM', Promise.resolve()),
    oddEnds,
    async [Symbol.asyncDispose]() {
      stopped = true;
      await next.catch(() => undefined);
      current.kill('SIGTERM');
      const force = setTimeout(() => current.kill('SIGKILL'), 60_000);
      await current.ended.finally(() => clearTimeout(force));
    },
  };
}

const lastWords = (stderr: string): string => stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
