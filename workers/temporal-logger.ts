import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { LogLevel } from '@temporalio/worker';
import type { Logger } from 'pino';

const levels: Readonly<Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'debug',
  WARN: 'warn',
  ERROR: 'error',
};

/** What Temporal warns of where a worker serves activities only, as the one for steps does. */
const ofStepWorkers = 'No workflows registered';

let installed = false;

/** Sends what Temporal's runtime says to our log; its own news are our debug. A process has one runtime: the first call counts. */
export function installTemporalRuntime(logger: Logger): void {
  if (installed) return;
  installed = true;
  Runtime.install({
    // Stages of shutdown are ours: see worker-host.
    shutdownSignals: [],
    logger: new DefaultLogger('INFO', ({ level, message, meta }) =>
      logger[message.startsWith(ofStepWorkers) ? 'debug' : levels[level]](meta ?? {}, message),
    ),
  });
}
