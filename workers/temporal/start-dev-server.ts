import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config/config.js';
import {
  type EmbeddedService,
  readEmbeddedService,
  removeEmbeddedService,
  writeEmbeddedService,
} from '../../config/embedded-service.js';
import { PortTaken, TemporalUnavailable } from '../../sdk/errors.js';
import { type DevServer, spawnDevServer } from './dev-server.js';
import { findTemporalCli } from './find-cli.js';
import { freePort } from './port.js';
import { kill } from './service-process.js';

export type StartOptions = {
  readonly config: Config;
  readonly ui: boolean;
  /** Recorded as the process that stops it. */
  readonly owner: number | undefined;
  readonly answers: (address: string) => Promise<boolean>;
  readonly onProgress: ((sentence: string) => void) | undefined;
  readonly signal: AbortSignal | undefined;
};

const answersWithinMs = 60_000;
const tries = 3;

/**
 * Starts the dev server on the state directory, records it there and waits until it answers.
 * @throws TemporalNotFound, PortTaken, TemporalUnavailable with what it printed
 */
export async function startDevServer(options: StartOptions): Promise<EmbeddedService> {
  const { config, onProgress, signal } = options;
  const cli = await findTemporalCli({
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
  for (let left = tries; ; left -= 1) {
    const port = await choosePort(config);
    try {
      return await startOn(port, cli, options);
    } catch (error) {
      // Another program may have been faster at the port, or at one of those the server chooses for itself.
      if (left === 1 || !(error instanceof PortTaken) || config.temporal.port !== undefined) throw error;
    }
  }
}

/** The asked one; else that of a service that died here, since clients of it look there; else any free one. */
async function choosePort({ temporal: { port }, stateDir }: Config): Promise<number> {
  if (port !== undefined) {
    if ((await freePort(port)) === undefined) throw portTaken(port);
    return port;
  }
  const former = Number((await readEmbeddedService(stateDir))?.address.split(':').at(-1) ?? 0);
  const chosen = (await freePort(former)) ?? (await freePort());
  if (chosen === undefined)
    throw new TemporalUnavailable('No port of 127.0.0.1 is free for the Temporal service.');
  return chosen;
}

const portTaken = (port: number): PortTaken =>
  new PortTaken(`Port ${port} of 127.0.0.1 is taken by another program.`, {
    hint: 'Stop that program, or choose another port with `temporal.port` or MILLRACE_TEMPORAL_PORT; without one any free port is used.',
    fields: { port },
  });

async function startOn(port: number, cli: string, options: StartOptions): Promise<EmbeddedService> {
  const { config, ui, owner } = options;
  const { stateDir } = config;
  const uiPort = ui ? await freePort() : undefined;
  const database = join(stateDir, 'temporal.db');
  const logFile = join(stateDir, 'logs/temporal.log');
  const server = spawnDevServer({
    cli,
    port,
    uiPort,
    namespace: config.temporal.namespace,
    database,
    logFile,
  });
  const ended = whenEnded(server.process);
  const pid = server.process.pid;
  if (pid === undefined) throw cannotRun(cli, await ended);
  const service: EmbeddedService = {
    pid,
    address: `127.0.0.1:${port}`,
    startedAt: new Date().toISOString(),
    database,
    ...(uiPort !== undefined && { ui: `http://127.0.0.1:${uiPort}` }),
    ...(owner !== undefined && { owner }),
  };
  try {
    // Recorded before it answers: if this process dies now, the next one must find it and not start a second on one database.
    await writeEmbeddedService(stateDir, service);
    await untilItAnswers(service, { server, logFile, port, ...options });
    return service;
  } catch (error) {
    kill(pid, 'SIGKILL');
    await ended;
    await removeEmbeddedService(stateDir);
    throw error;
  }
}

const whenEnded = (child: ChildProcess): Promise<Error | undefined> =>
  new Promise((resolve) => {
    child.once('error', resolve).once('exit', () => resolve(undefined));
  });

const cannotRun = (cli: string, error: Error | undefined): TemporalUnavailable =>
  new TemporalUnavailable(`The Temporal CLI ${cli} cannot be run: ${error?.message}.`, {
    hint: 'Replace or remove that file; without one on PATH Millrace fetches its own.',
    fields: { cli },
    cause: error,
  });

type Wait = StartOptions & { readonly server: DevServer; readonly logFile: string; readonly port: number };

async function untilItAnswers({ address }: EmbeddedService, wait: Wait): Promise<void> {
  const { answers, server, signal } = wait;
  for (const end = Date.now() + answersWithinMs; ;) {
    signal?.throwIfAborted();
    if (server.process.exitCode !== null || server.process.signalCode !== null)
      throw await endedAtStart(wait);
    if (await answers(address)) return;
    if (Date.now() > end)
      throw broken(`did not answer at ${address} within ${answersWithinMs / 1000} s`, wait.logFile);
    await sleep(25);
  }
}

async function endedAtStart({ server, port, logFile }: Wait): Promise<PortTaken | TemporalUnavailable> {
  const output = await server.output();
  if (output.includes('address already in use')) return portTaken(port);
  const said = output.trim().split('\n').at(-1) ?? '';
  const { exitCode, signalCode } = server.process;
  return broken(
    `ended at its start with ${signalCode ?? `code ${exitCode}`}: ${said || 'it said nothing'}`,
    logFile,
  );
}

const broken = (what: string, logFile: string): TemporalUnavailable =>
  new TemporalUnavailable(`The Temporal service ${what}.`, {
    hint: `Its log is ${logFile}.`,
    fields: { reason: 'unreachable', logFile },
  });
