import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import type { TemporalService } from '../workers/temporal/service.js';
import type { WorkerHost, WorkerHostOptions } from '../workers/worker-host.js';

export type WorkerSessionOptions = Pick<WorkerHostOptions, 'build' | 'onBuild'> & {
  readonly config: Config;
  readonly logger: Logger;
  /** Whether a service that is started here has its web console. Default false. */
  readonly ui?: boolean;
  /** Gets a sentence now and then while the service is got and started. */
  readonly onProgress: (sentence: string) => void;
  readonly signal: AbortSignal;
};

/** A Temporal service and a worker host in this process. */
export type WorkerSession = AsyncDisposable & {
  readonly service: TemporalService;
  readonly host: WorkerHost;
};

/** Finds or starts the service, then a worker host on it. Disposing drains the host and ends a service started here. */
export async function openWorkerSession(options: WorkerSessionOptions): Promise<WorkerSession> {
  const { config, logger, ui = false, onProgress, signal, build, onBuild } = options;
  const service = await openService({ config, ui, onProgress, signal });
  try {
    const { startWorkerHost } = await import('../workers/worker-host.js');
    const host = await startWorkerHost({
      config,
      logger,
      address: service.address,
      ...(build && { build }),
      ...(onBuild && { onBuild }),
    });
    return {
      service,
      host,
      async [Symbol.asyncDispose]() {
        try {
          await host.stop();
        } finally {
          await service.stop();
        }
      },
    };
  } catch (error) {
    await service.stop();
    throw error;
  }
}

type ServiceOptions = Required<Pick<WorkerSessionOptions, 'config' | 'ui' | 'onProgress' | 'signal'>>;

export async function openService(options: ServiceOptions): Promise<TemporalService> {
  const { startTemporalService } = await import('../workers/temporal/service.js');
  return startTemporalService(options);
}
