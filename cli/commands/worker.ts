import { Command } from 'commander';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { aborted, listenForInterrupt } from '../interrupt.js';
import { openWorkerSession } from '../worker-session.js';
import { processLogger } from '../worker-logger.js';

export const workerCommand = (): Command =>
  new Command('worker')
    .summary('run a worker: serves the pipelines and steps of the project')
    .description(
      'Builds the project once and serves it until it is stopped, configured by millrace.config.ts and the environment.\n' +
        'Without TEMPORAL_ADDRESS it uses, or starts, the service of the state directory.\n' +
        'Ctrl-C or SIGTERM drains: steps get the shutdown grace time to end. A second one ends it at once.',
    )
    .option('--no-build', 'serve the builds that other workers of the queue have published')
    .addHelpText(
      'after',
      examples([
        ['millrace worker'],
        ['TEMPORAL_ADDRESS=temporal:7233 MILLRACE_CPUS=8 millrace worker --json', 'logs as JSON lines'],
      ]),
    )
    .action(
      action<readonly [], { readonly build: boolean }>(async ({ options, output }) => {
        const { loadConfig } = await import('../../config/load-config.js');
        const config = await loadConfig();
        const logger = await processLogger(config, { people: output.terminal !== undefined && !output.json });
        using interrupt = listenForInterrupt({
          onFirst: () =>
            logger.info({ graceMs: config.worker.shutdownGraceMs }, 'draining; once more ends at once'),
          onForce: () => logger.warn('ended at once: open steps get a new attempt'),
        });
        const { signal } = interrupt;
        await using session = await openWorkerSession({
          config,
          logger,
          signal,
          build: options.build ? 'once' : 'none',
          onProgress: (sentence) => logger.info(sentence),
        });
        await Promise.race([aborted(signal), session.host.stopped]);
        return exitCodes.ok;
      }),
    );
