import { Command } from 'commander';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';

export const devCommand = (): Command =>
  new Command('dev')
    .summary('Temporal service, worker and rebuild on save, in one process')
    .description(
      'Serves the project of this folder while it is written: finds or starts the Temporal service, builds, runs a worker, and\n' +
        'builds again on each change. New runs start on the new build; open ones go on with theirs.\n' +
        'Ctrl-C drains: steps get the shutdown grace time to end. A second Ctrl-C ends it at once.',
    )
    .addHelpText(
      'after',
      examples([
        ['millrace dev'],
        ['millrace --cwd pipelines dev'],
        ['MILLRACE_EXECUTOR=process millrace dev', 'steps run as processes, without Docker'],
      ]),
    )
    .action(
      action(async ({ output }) => {
        const { serveDev } = await import('../serve-dev.js');
        await serveDev(output);
        return exitCodes.ok;
      }),
    );
