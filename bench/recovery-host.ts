import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Docker from 'dockerode';
import type { MillraceClient } from '../client/index.js';
import { createClient } from '../client/index.js';
import { loadConfig } from '../config/load-config.js';
import { packageRoot } from '../config/package-root.js';
import { createReleasers } from '../workers/releasers.js';
import { startTemporalService } from '../workers/temporal/service.js';

/** A worker process of its own, to be killed or deployed. */
export type BenchWorker = {
  readonly kill: () => Promise<void>;
  /** SIGTERM, and waits for its end. */
  readonly drain: () => Promise<void>;
};

/** A service, a client and as many hosts as a case asks for: each a state directory, with catalog, store and queue shared. */
export type RecoveryHost = AsyncDisposable & {
  readonly client: MillraceClient;
  /** Resolves when it serves. @param host which state directory: 0 is the client's */
  readonly startWorker: (host: number) => Promise<BenchWorker>;
  /** Containers of these hosts, running or not. */
  readonly containers: (run: string) => Promise<readonly Docker.ContainerInfo[]>;
  readonly docker: Docker;
};

export async function startRecoveryHost(): Promise<RecoveryHost> {
  const releasers = createReleasers();
  const root = await mkdtemp(path.join(tmpdir(), 'millrace-bench-'));
  releasers.defer(() => rm(root, { recursive: true, force: true }));
  const projectDir = path.join(packageRoot(), 'bench/recovery-project');
  const shared = {
    MILLRACE_CATALOG: `sqlite:${path.join(root, 'catalog.db')}`,
    MILLRACE_STORE: `file:${path.join(root, 'artifacts')}`,
    MILLRACE_QUEUE: 'bench',
    MILLRACE_EXECUTOR: 'docker',
    MILLRACE_CPUS: '4',
    MILLRACE_LOG_LEVEL: 'info',
  };
  const stateOf = (host: number): NodeJS.ProcessEnv => ({
    ...process.env,
    ...shared,
    MILLRACE_STATE_DIR: path.join(root, `host-${host}`),
  });
  const config = await loadConfig({ cwd: projectDir, env: stateOf(0) });
  const { address } = releasers.use(await startTemporalService({ config }));
  const client = releasers.use(await createClient({ config, address }));
  const docker = new Docker();
  return {
    client,
    docker,
    async startWorker(host) {
      const main = path.join(packageRoot(), 'dist/cli/main.js');
      const env = { ...stateOf(host), TEMPORAL_ADDRESS: address };
      const child = spawn(process.execPath, [main, 'worker', '--cwd', projectDir], { env, stdio: ['ignore', 'pipe', 'inherit'] }); // prettier-ignore
      releasers.defer(() => stop(child, 'SIGTERM'));
      await serves(child);
      return { kill: () => stop(child, 'SIGKILL'), drain: () => stop(child, 'SIGTERM') };
    },
    containers: (run) => docker.listContainers({ all: true, filters: { label: [`millrace.run=${run}`] } }),
    [Symbol.asyncDispose]: () => releasers.release(),
  };
}

async function serves(worker: ChildProcess): Promise<void> {
  let printed = '';
  await new Promise<void>((resolve, reject) => {
    worker.stdout?.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (printed.includes('worker started')) resolve();
    });
    worker.once('exit', (code) => reject(new Error(`The worker ended with ${code}:\n${printed}`)));
  });
}

async function stop(worker: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const ended = once(worker, 'exit');
  worker.kill(signal);
  await ended;
}
