import { Command } from 'commander';
import type { Call } from '../command.js';
import { action, examples } from '../command.js';
import type { ExitCode } from '../exit-codes.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { withClient } from '../open-client.js';
import { runArgument } from './show.js';

type DecideOptions = { readonly reason?: string; readonly by?: string };

export const approveCommand = (): Command =>
  new Command('approve')
    .summary('approve what a run waits for')
    .description('Approves an open gate of a run. `millrace show RUN` says what speaks for it.')
    .argument('<run>', runArgument)
    .argument('<gate>', 'name of the approval')
    .option('-r, --reason <text>', 'why; kept with the decision')
    .option('--by <name>', 'who decides (default: the name of the operating system user)')
    .addHelpText('after', examples([['millrace approve last release --reason "checked the report"']]))
    .action(action<readonly [string, string], DecideOptions>((call) => decide('approved', call)));

export const rejectCommand = (): Command =>
  new Command('reject')
    .summary('reject what a run waits for')
    .description('Rejects an open gate of a run. The pipeline may go on in its own way; else the run fails.')
    .argument('<run>', runArgument)
    .argument('<gate>', 'name of the approval')
    .requiredOption('-r, --reason <text>', 'why; kept with the decision')
    .option('--by <name>', 'who decides (default: the name of the operating system user)')
    .addHelpText('after', examples([['millrace reject last release --reason "the gap is too wide"']]))
    .action(action<readonly [string, string], DecideOptions>((call) => decide('rejected', call)));

async function decide(
  decision: 'approved' | 'rejected',
  { args: [text, gate], options: { reason, by }, output }: Call<readonly [string, string], DecideOptions>,
): Promise<ExitCode> {
  return withClient(async ({ client }) => {
    const { id, decide: answer } = await findRun(text, client);
    await answer(gate, {
      decision,
      ...(reason !== undefined && { reason }),
      ...(by !== undefined && { by }),
    });
    output.say(`${gate} of ${id} is ${decision}.`);
    output.answer({ run: id, gate, decision, ...(reason !== undefined && { reason }) });
    return exitCodes.ok;
  });
}
