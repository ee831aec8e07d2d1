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

/** What Temporal warns of though it is as it should be (a worker of steps has no workflows), or though we say it in fewer words. */
const expected = [
  'No workflows registered',
  'Activity failed',
  'Workflow failed',
  'Activity cancelled',
  'Workflow cancelled',
];

let installed = false;

/** Sends what Temporal's runtime says to our log; its own news are our debug. A process has one runtime: the first call counts. */
export function installTemporalRuntime(logger: Logger): void {
  if (installed) return;
  installed = true;
  Runtime.install({
    // Stages of shutdown are ours: see worker-host.
    shutdownSignals: [],
    logger: new DefaultLogger('INFO', ({ level, message, meta }) =>
      logger[expected.some((words) => message.startsWith(words)) ? 'debug' : levels[level]](
        meta ?? {},
        message,
      ),
    ),
  });
}
