import { Command } from 'commander';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { withClient } from '../open-client.js';
import { runArgument } from './show.js';

type Options = { readonly reason?: string; readonly by?: string };

export const pauseCommand = (): Command =>
  new Command('pause')
    .summary('have a run begin nothing new')
    .description(
      'Pauses a run and its child runs: no step, attempt, gate or approval begins until `millrace resume`. What runs goes on to its end,\n' +
        'and so do time limits, deadlines and the time an approval has. A paused run can be cancelled.',
    )
    .argument('<run>', runArgument)
    .option('-r, --reason <text>', 'why; kept with the run')
    .option('--by <name>', 'who pauses (default: the name of the operating system user)')
    .addHelpText('after', examples([['millrace pause last --reason "the data is being mended"']]))
    .action(
      action<readonly [string], Options>(async ({ args: [text], options, output }) =>
        withClient(async ({ client }) => {
          const handle = await findRun(text, client);
          const paused = await handle.pause(options);
          output.say(`${handle.id} is paused by ${paused.by} since ${paused.at}.`);
          output.answer({ run: handle.id, paused });
          return exitCodes.ok;
        }),
      ),
    );

export const resumeCommand = (): Command =>
  new Command('resume')
    .summary('have a paused run go on')
    .description('Has a paused run and its child runs go on. A run that is not paused stays as it is.')
    .argument('<run>', runArgument)
    .option('-r, --reason <text>', 'why; kept with the run')
    .option('--by <name>', 'who resumes (default: the name of the operating system user)')
    .addHelpText('after', examples([['millrace resume last']]))
    .action(
      action<readonly [string], Options>(async ({ args: [text], options, output }) =>
        withClient(async ({ client }) => {
          const handle = await findRun(text, client);
          await handle.resume(options);
          output.say(`${handle.id} goes on.`);
          output.answer({ run: handle.id });
          return exitCodes.ok;
        }),
      ),
    );
