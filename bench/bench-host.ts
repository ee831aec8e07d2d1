import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { pino } from 'pino';
import type { MillraceClient } from '../client/index.js';
import { createClient } from '../client/index.js';
import { connectTemporal, transportOptions } from '../client/temporal-connection.js';
import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { packageRoot } from '../config/package-root.js';
import { createReleasers } from '../workers/releasers.js';
import { runWorker } from '../workers/running-worker.js';
import { startTemporalService } from '../workers/temporal/service.js';
import { startWorkerHost } from '../workers/worker-host.js';

/** A service, a worker of ours and a bare Temporal worker in one process, on a state directory of their own. */
export type BenchHost = AsyncDisposable & {
  readonly config: Config;
  readonly client: MillraceClient;
  readonly temporal: Client;
  /** Process of the Temporal service. */
  readonly servicePid: number;
};

export const bareQueue = 'bench-bare';

export async function startBenchHost(): Promise<BenchHost> {
  const releasers = createReleasers();
  const stateDir = await mkdtemp(path.join(tmpdir(), 'millrace-bench-'));
  releasers.defer(() => rm(stateDir, { recursive: true, force: true }));
  const projectDir = path.join(packageRoot(), 'bench/project');
  const loaded = await loadConfig({ cwd: projectDir, env: { ...process.env, MILLRACE_STATE_DIR: stateDir } });
  const config: Config = { ...loaded, projectDir, queue: 'bench' };
  const service = releasers.use(await startTemporalService({ config }));
  const { address, pid: servicePid = 0 } = service;
  const logger = pino({ level: 'error' }, pino.destination(2));
  releasers.use(await startWorkerHost({ config, address, logger }));
  const temporal = releasers.use(await connectTemporal(config, { address }));
  const connection = await NativeConnection.connect(transportOptions(config, address));
  releasers.defer(() => connection.close());
  const bare = runWorker(
    await Worker.create({
      connection,
      namespace: config.temporal.namespace,
      taskQueue: bareQueue,
      workflowsPath: path.join(import.meta.dirname, 'bare-workflow.js'),
      activities: { noop: (argument: unknown) => Promise.resolve(argument) },
    }),
  );
  releasers.defer(() => (bare.drain(), bare.ended));
  const client = releasers.use(await createClient({ config, address }));
  return {
    config,
    client,
    servicePid,
    temporal: temporal.client,
    [Symbol.asyncDispose]: () => releasers.release(),
  };
}
