import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { MillraceClient } from '../../client/index.js';
import { createClient } from '../../client/index.js';
import type { Config } from '../../config/config.js';
import { loadConfig } from '../../config/load-config.js';
import { packageRoot } from '../support/build-package.js';
import { releaseAtEnd } from '../support/release-at-end.js';
import { startEngine, type TestEngine } from '../support/start-engine.js';
import { startFaultyProxy, type FaultyProxy } from '../support/start-faulty-proxy.js';
import { startS3 } from '../support/start-s3.js';
import { startTemporal, type TestTemporal } from '../support/start-temporal.js';
import { noEngine } from './no-engine.js';
import type { EndSignal, FaultKind, Plan } from './plan.js';
import { mountSmallDisk, type SmallDisk } from './small-disk.js';
import { type ContainerWatch, watchContainers } from './watch-containers.js';
import type { Span } from './world.js';
import { type ChaosWorker, startWorker } from './worker.js';

/** Everything the runs need, each part of it in reach of the faults. */
export type Stage = {
  /** Each worker's: a host of its own, whose installation is the worker's name for what it began. */
  readonly hosts: readonly Config[];
  readonly client: MillraceClient;
  readonly workers: readonly ChaosWorker[];
  readonly containers: ContainerWatch;
  readonly store: FaultyProxy;
  /** host:port, the same after each restart. */
  readonly address: string;
  readonly restartTemporal: (signal: EndSignal, down: () => Promise<unknown>) => Promise<void>;
  /** Undefined where this machine cannot have one of its own. */
  readonly engine: TestEngine | undefined;
  /** When it was away. */
  readonly outages: Span[];
  /** When a host had no worker. */
  readonly absences: (Span & { readonly host: string })[];
  readonly disk: SmallDisk | undefined;
  /** Where temporary files of the workers lie. */
  readonly temporary: string;
};

const hostNames = ['host-0', 'host-1'] as const;
export const chaosSecret = 'only-the-step-may-know-this';

/** Kinds of faults that this machine does not allow, each with the reason. */
export function impossibleFaults(): Partial<Record<FaultKind, string>> {
  const engine = noEngine();
  const root = process.getuid?.() === 0;
  return {
    ...(engine && { engine }),
    ...(!root && { disk: 'only root can mount a disk that is small enough to be filled' }),
  };
}

/** Starts all parts, below one folder. They end with `releaseAll`. */
export async function startStage(
  folder: string,
  { plan, kinds }: { readonly plan: Plan; readonly kinds: readonly FaultKind[] },
): Promise<Stage> {
  const at = (name: string): string => path.join(folder, name);
  for (const name of ['logs', 'tmp', 's3']) await mkdir(at(name), { recursive: true });
  await cp(path.join(packageRoot, 'test/chaos/project'), at('project'), { recursive: true });
  const engine = kinds.includes('engine')
    ? await startEngine({ liveRestore: plan.liveRestore }, ['busybox:latest'])
    : undefined;
  const s3 = await startS3({ folder: at('s3') });
  const store = await startFaultyProxy(s3.port);
  const temporal = await ownTemporal(at('temporal.db'));
  const env = {
    ...s3.env,
    MILLRACE_CATALOG: `sqlite:${at('catalog.db')}`,
    MILLRACE_STORE: `s3://${await s3.bucket()}/chaos`,
    MILLRACE_S3_ENDPOINT: store.endpoint,
    MILLRACE_QUEUE: 'chaos',
    MILLRACE_CACHE: 'false',
    // Less than a worker may be away: another host then makes the next attempt.
    MILLRACE_ADOPT_WITHIN: '5 s',
    MILLRACE_EXECUTOR: 'docker',
    MILLRACE_CPUS: '4',
    MILLRACE_SHUTDOWN_GRACE: '3 s',
    MILLRACE_SECRET_CHAOS_TOKEN: chaosSecret,
    TEMPORAL_ADDRESS: temporal.address,
    TMPDIR: at('tmp'),
    ...(engine && { DOCKER_HOST: engine.host }),
  };
  const envOf = (host: string) => ({ ...env, MILLRACE_STATE_DIR: at(host) });
  const project = at('project');
  const hosts: Config[] = [];
  for (const host of hostNames) hosts.push(await loadConfig({ cwd: project, env: envOf(host) }));
  const disk = kinds.includes('disk') ? await mountSmallDisk(at(`${hostNames[0]}/work`), '48m') : undefined;
  const client = await createClient({ config: await loadConfig({ cwd: project, env: envOf('client') }) });
  releaseAtEnd(() => client[Symbol.asyncDispose]());
  const containers = watchContainers(
    engine?.host,
    hosts.map(({ installation }) => installation),
  );
  releaseAtEnd(() => containers[Symbol.dispose]());
  const workers: ChaosWorker[] = [];
  for (const [index, host] of hostNames.entries()) {
    const name = `worker-${index}`;
    const worker = await startWorker({ name, project, env: envOf(host), log: at(`logs/${name}.log`) });
    releaseAtEnd(() => worker[Symbol.asyncDispose]());
    workers.push(worker);
  }
  for (const worker of workers) await worker.ready();
  return {
    hosts,
    client,
    workers,
    containers,
    store,
    address: temporal.address,
    restartTemporal: temporal.restart,
    engine,
    outages: [],
    absences: [],
    disk,
    temporary: at('tmp'),
  };
}

/** A Temporal service that forgets nothing when it is restarted. */
async function ownTemporal(
  database: string,
): Promise<{ readonly address: string; readonly restart: Stage['restartTemporal'] }> {
  let service: TestTemporal = await startTemporal({ database });
  const { address, port } = service;
  return {
    address,
    async restart(signal, down) {
      if (signal === 'SIGKILL') await service.kill();
      else await service[Symbol.asyncDispose]();
      await down();
      service = await startTemporal({ database, port });
    },
  };
}
