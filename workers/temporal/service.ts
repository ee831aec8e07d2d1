import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTemporal } from '../../client/temporal-connection.js';
import type { Config } from '../../config/config.js';
import {
  type EmbeddedService,
  readEmbeddedService,
  removeEmbeddedService,
  writeEmbeddedService,
} from '../../config/embedded-service.js';
import { isMillraceError } from '../../sdk/errors.js';
import { withFileLock } from './file-lock.js';
import { onProcessEnd } from './on-process-end.js';
import { endService, isAlive, isRunning, kill } from './service-process.js';
import { startDevServer } from './start-dev-server.js';

export type TemporalServiceOptions = {
  readonly config: Config;
  /** Whether the service has its web console, on a free port. Default false. */
  readonly ui?: boolean;
  /** Whether the service lives on when this process ends without `stop`. Default false. */
  readonly detached?: boolean;
  /** Gets a plain sentence now and then, when it takes long. */
  readonly onProgress?: (sentence: string) => void;
  readonly signal?: AbortSignal;
};

export interface TemporalService extends AsyncDisposable {
  /** host:port */
  readonly address: string;
  /** Whether `stop` ends it: it was started here, or was left by a process that died. */
  readonly owned: boolean;
  /** Undefined for a configured service. */
  readonly pid: number | undefined;
  readonly uiUrl: string | undefined;
  /** Ends the service if it is owned: SIGTERM, and SIGKILL after 10 s. Nothing that it has stored is lost. */
  stop(): Promise<void>;
}

const survivorWithinMs = 15_000;

/**
 * The Temporal service of a configuration: the configured one, the one already running for the state directory, or a new one
 * that keeps its state there. Of processes that ask at the same moment one starts it and all get it.
 * @throws TemporalUnavailable, TemporalNotFound, PortTaken
 */
export async function startTemporalService(options: TemporalServiceOptions): Promise<TemporalService> {
  const { config, signal, onProgress } = options;
  const { address } = config.temporal;
  if (address !== undefined) {
    await check(config, { address, signal });
    return borrowed({ address });
  }
  const running = await ownedByAnother(config, signal);
  if (running !== undefined) return borrowed(running);

  return withFileLock(lockPath(config), () => findOrStart(options), {
    onWait: () =>
      onProgress?.('Another process is starting the Temporal service of this project; waiting for it.'),
    signal,
  });
}

async function findOrStart(options: TemporalServiceOptions): Promise<TemporalService> {
  const survivor = await findSurvivor(options.config, options.signal);
  if (survivor === undefined) return owned(await start(options), options);
  return isOrphan(survivor) ? owned(await adopt(survivor, options), options) : borrowed(survivor);
}

const lockPath = ({ stateDir }: Config): string => join(stateDir, 'temporal.lock');

type Probe = {
  readonly address: string;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
};

async function check(config: Config, { address, signal, timeoutMs }: Probe): Promise<void> {
  const { connection } = await connectTemporal(config, {
    address,
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  await connection.close();
}

/** Whether it answers. @throws TemporalUnavailable when it does and will never have what is asked of it */
async function answers(config: Config, probe: Probe): Promise<boolean> {
  try {
    await check(config, { timeoutMs: 3_000, ...probe });
    return true;
  } catch (error) {
    probe.signal?.throwIfAborted();
    const { reason } = isMillraceError(error) ? error.fields : {};
    if (reason === 'unreachable' || reason === 'not temporal') return false;
    throw error;
  }
}

/** The usual case of a second process, without a lock. */
async function ownedByAnother(config: Config, signal?: AbortSignal): Promise<EmbeddedService | undefined> {
  const service = await readEmbeddedService(config.stateDir);
  if (service === undefined || isOrphan(service) || !(await isRunning(service))) return undefined;
  return (await answers(config, { address: service.address, signal })) ? service : undefined;
}

/** Its starter died without stopping it, as under `kill -9`. */
const isOrphan = ({ owner }: EmbeddedService): boolean => owner !== undefined && !isAlive(owner);

/** A service that was left running, or was still starting when its starter died. One that never answers is ended. */
async function findSurvivor(config: Config, signal?: AbortSignal): Promise<EmbeddedService | undefined> {
  const service = await readEmbeddedService(config.stateDir);
  if (service === undefined) return undefined;
  for (const end = Date.now() + survivorWithinMs; await isRunning(service); await sleep(50)) {
    if (await answers(config, { address: service.address, signal })) return service;
    if (Date.now() > end) await endService(service);
  }
  return undefined;
}

async function adopt(
  { owner: _, ...service }: EmbeddedService,
  { config, detached = false }: TemporalServiceOptions,
): Promise<EmbeddedService> {
  const adopted = { ...service, ...(!detached && { owner: process.pid }) };
  await writeEmbeddedService(config.stateDir, adopted);
  return adopted;
}

async function start(options: TemporalServiceOptions): Promise<EmbeddedService> {
  const { config, ui = false, detached = false, onProgress, signal } = options;
  await mkdir(join(config.stateDir, 'logs'), { recursive: true });
  return startDevServer({
    config,
    ui,
    owner: detached ? undefined : process.pid,
    answers: (address) => answers(config, { address, signal }),
    onProgress,
    signal,
  });
}

function borrowed({
  address,
  pid,
  ui,
}: Pick<EmbeddedService, 'address'> & Partial<EmbeddedService>): TemporalService {
  const nothing = () => Promise.resolve();
  return { address, owned: false, pid, uiUrl: ui, stop: nothing, [Symbol.asyncDispose]: nothing };
}

function owned(
  service: EmbeddedService,
  { config, detached = false }: TemporalServiceOptions,
): TemporalService {
  const forget = detached ? () => undefined : onProcessEnd(() => kill(service.pid, 'SIGTERM'));
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= end(service, config).finally(forget));
  const { address, pid, ui: uiUrl } = service;
  return { address, owned: true, pid, uiUrl, stop, [Symbol.asyncDispose]: stop };
}

/** Under the lock, and unrecorded first: who asks meanwhile waits and starts another one, and never gets one about to end. */
const end = (service: EmbeddedService, config: Config): Promise<void> =>
  withFileLock(lockPath(config), async () => {
    const recorded = await readEmbeddedService(config.stateDir);
    if (recorded?.pid === service.pid) await removeEmbeddedService(config.stateDir);
    await endService(service);
  });
