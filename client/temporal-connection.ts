import type { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { Config } from '../config/config.js';
import { readEmbeddedService } from '../config/embedded-service.js';
import { TemporalUnavailable } from '../sdk/errors.js';
import { probeHttp2 } from './probe-http2.js';
import type { ValueStorageOptions } from './value-storage.js';
import { type Unavailability, grpcCode, grpcStatus, refused, unreachable } from './temporal-unavailable.js';

export type ConnectOptions = {
  /** host:port. Default: the configured one, else that of the service running for the state directory. */
  readonly address?: string;
  /** Where large values lie. Without it a client cannot read them. */
  readonly values?: Omit<ValueStorageOptions, 'failure'>;
  /** Longest time for all of it, ms. Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

export type TemporalConnection = AsyncDisposable & {
  readonly address: string;
  readonly connection: Connection;
  readonly client: Client;
  /** Id of the namespace, as no other service or namespace has it; undefined where it may not be asked for. */
  readonly service: string | undefined;
};

/**
 * Connects to the Temporal service and makes sure that it has the namespace.
 * @throws TemporalUnavailable with address, reason (`fields.reason`) and what to do
 */
export async function connectTemporal(
  config: Config,
  options: ConnectOptions = {},
): Promise<TemporalConnection> {
  const { timeoutMs = 5_000, signal } = options;
  signal?.throwIfAborted();
  const address = options.address ?? config.temporal.address ?? (await embeddedAddress(config));
  const deadline = Date.now() + timeoutMs;
  await reach(address, { config, timeoutMs, signal });
  // Imported here: it takes a quarter of a second, which commands that fail before should not.
  const temporal = await import('@temporalio/client');
  // Lazy, so that there is something to close when it fails: gRPC would try again for ever.
  const connection = temporal.Connection.lazy({
    ...transportOptions(config, address),
    connectTimeout: Math.max(1, deadline - Date.now()),
  });
  try {
    await abortable(connection.ensureConnected(), signal);
    const service = await checkNamespace(connection, {
      namespace: config.temporal.namespace,
      deadline,
      signal,
    });
    const client = new temporal.Client({
      connection,
      namespace: config.temporal.namespace,
      ...(options.values && { dataConverter: await dataConverter(options.values) }),
    });
    return { address, connection, client, service, [Symbol.asyncDispose]: () => connection.close() };
  } catch (error) {
    await connection.close();
    signal?.throwIfAborted();
    throw refused(error, address, config);
  }
}

/** What every connection to the service of this configuration is opened with, clients' and workers' alike. */
export function transportOptions(
  { temporal: { tls, apiKey } }: Config,
  address: string,
): { readonly address: string; readonly tls: boolean; readonly apiKey?: string } {
  return { address, tls, ...(apiKey !== undefined && { apiKey }) };
}

async function dataConverter(values: ValueStorageOptions): Promise<DataConverter> {
  const { valueStorage } = await import('./value-storage.js');
  return { externalStorage: valueStorage(values) };
}

async function embeddedAddress({ stateDir }: Config): Promise<string> {
  const service = await readEmbeddedService(stateDir);
  if (service !== undefined) return service.address;
  throw new TemporalUnavailable(`No Temporal service runs for ${stateDir}.`, {
    hint: 'Start one with `millrace dev` or `millrace worker`, or set TEMPORAL_ADDRESS.',
    fields: { reason: 'none' satisfies Unavailability, stateDir },
  });
}

async function reach(address: string, { config, timeoutMs, signal }: Reach): Promise<void> {
  // gRPC goes through these proxies, a connection of our own would not.
  if (['grpc_proxy', 'https_proxy', 'http_proxy'].some((name) => process.env[name])) return;
  const answer = await probeHttp2({ address, tls: config.temporal.tls, timeoutMs, signal });
  if (answer.speaks) return;
  throw answer.reached ? refused(answer.error, address, config) : unreachable(address, answer.error);
}

type Reach = {
  readonly config: Config;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
};

/** A call that is aborted goes on in gRPC until its deadline or the close of its connection. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function checkNamespace(
  connection: Connection,
  { namespace, deadline, signal }: { namespace: string; deadline: number; signal: AbortSignal | undefined },
): Promise<string | undefined> {
  try {
    const asked = connection.withDeadline(deadline, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    const { namespaceInfo } = await abortable(asked, signal);
    return namespaceInfo?.id ?? undefined;
  } catch (error) {
    // A key may be allowed to run workflows and not to describe the namespace.
    if (grpcStatus(error) !== grpcCode.permissionDenied) throw error;
    return undefined;
  }
}
