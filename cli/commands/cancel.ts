import { Command } from 'commander';
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
      'Cancels a run: its steps are stopped and it ends. Returns when that is asked, not when it is done.',
    )
    .argument('<run>', runArgument)
    .option('-r, --reason <text>', 'why')
    .addHelpText('after', examples([['millrace cancel last --reason "wrong data"']]))
    .action(
      action<readonly [string], { readonly reason?: string }>(async ({ args: [text], options, output }) =>
        withClient(async ({ client }) => {
          const handle = await findRun(text, client);
          const { run } = await handle.view();
          if (isClosed(run.status)) {
            output.say(`${run.id} has ended before: it is ${run.status.replace('_', ' ')}.`);
            output.answer({ run: run.id, status: run.status });
            return exitCodes.ok;
          }
          await handle.cancel(options.reason === undefined ? {} : { reason: options.reason });
          output.say(`${run.id} is being cancelled.`);
          output.answer({ run: run.id, status: 'cancelling' });
          return exitCodes.ok;
        }),
      ),
    );
