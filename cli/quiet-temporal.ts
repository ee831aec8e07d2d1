import { DefaultLogger, Runtime } from '@temporalio/worker';

/** For commands that replay: what a replay finds they say themselves. Before anything else of Temporal's worker. */
export function quietTemporal(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' } } },
  });
}
