import { Command } from 'commander';
import type { CancelOptions } from '../../client/cancel-run.js';
import { isClosed } from '../../sdk/states.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { withClient } from '../open-client.js';
import { runArgument } from './show.js';

export const cancelCommand = (): Command =>
  new Command('cancel')
    .summary('cancel a run')
    .description(
      'Cancels a run: its steps are stopped, its cleanup runs, and it ends. Returns when that is asked, not when it is done.\n' +
        'Cancelling it again ends its cleanup, too.',
    )
    .argument('<run>', runArgument)
    .option('-r, --reason <text>', 'why')
    .option('-f, --force', 'without its cleanup, or ending it')
    .option('--by <name>', 'who cancels (default: the name of the operating system user)')
    .addHelpText(
      'after',
      examples([
        ['millrace cancel last --reason "wrong data"'],
        ['millrace cancel last --force', 'do not wait for its cleanup'],
      ]),
    )
    .action(
      action<readonly [string], CancelOptions>(async ({ args: [text], options, output }) =>
        withClient(async ({ client }) => {
          const handle = await findRun(text, client);
          const { run } = await handle.view();
          if (isClosed(run.status)) {
            output.say(`${run.id} has ended before: it is ${run.status.replace('_', ' ')}.`);
            output.answer({ run: run.id, status: run.status });
            return exitCodes.ok;
          }
          await handle.cancel(options);
          output.say(`${run.id} is being cancelled.`);
          output.answer({ run: run.id, status: 'cancelling' });
          return exitCodes.ok;
        }),
      ),
    );
