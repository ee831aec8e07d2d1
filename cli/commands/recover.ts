import { Command } from 'commander';
import { durationMs } from '../../sdk/duration.js';
import { awaitRun } from '../await-run.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { withClient } from '../open-client.js';
import { collect } from '../parse-options.js';
import { runArgument } from './show.js';

type RecoverFlags = {
  readonly from?: readonly string[];
  readonly plan?: boolean;
  readonly id?: string;
  readonly timeout?: string;
  readonly wait?: boolean;
  readonly watch?: boolean;
};

export const recoverCommand = (): Command =>
  new Command('recover')
    .summary('start a run that goes on with the results of a closed one')
    .description(
      'Starts a new run on the current build, with the input of a run that has ended. Each call whose code and input are what they\n' +
        'were takes its recorded result; the rest runs. The plan is printed before anything starts. The current build is the one that a\n' +
        'worker published last: after a change restart `millrace worker`; `millrace dev` does it by itself.',
    )
    .argument('<run>', runArgument)
    .option('--from <step>', 'run this step anew, and all that takes what it makes; may be repeated', collect)
    .option('--plan', 'print the plan and start nothing')
    .option('--id <id>', 'id of the new run')
    .option('--timeout <duration>', 'longest time of the whole run, such as 2h')
    .option('-w, --wait', 'wait for the end and print the result')
    .option('--watch', 'wait for the end and show the steps as they go')
    .addHelpText(
      'after',
      examples([
        ['millrace recover last --plan'],
        ['millrace recover mortgage-20261124-0930 --watch'],
        ['millrace recover last --from evaluate', 'evaluates anew, whatever changed'],
      ]),
    )
    .action(
      action<readonly [string], RecoverFlags>(async ({ args: [text], options, output }) => {
        const { from, plan: planOnly, id, timeout } = options;
        if (timeout !== undefined) durationMs(timeout, '--timeout');
        const [{ recoveryRows }, { sayRows }] = await Promise.all([
          import('../render/recovery-rows.js'),
          import('../say-rows.js'),
        ]);
        return withClient(async ({ client }) => {
          const former = await findRun(text, client);
          const { plan, run } = await client.recover(former.id, {
            onPlan: (found) => sayRows(recoveryRows(found), output),
            ...(from && { from }),
            ...(planOnly && { plan: true }),
            ...(id !== undefined && { runId: id }),
            ...(timeout !== undefined && { timeout }),
          });
          if (run) return awaitRun(run, { ...options, output, also: { plan } });
          output.answer(plan);
          return exitCodes.ok;
        });
      }),
    );
