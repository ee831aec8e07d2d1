import { Command } from 'commander';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { listenForInterrupt } from '../interrupt.js';
import { withClient } from '../open-client.js';

export const runArgument = 'id of a run, the beginning of one, or `last`';

export const showCommand = (): Command =>
  new Command('show')
    .summary('show a run with its steps')
    .description('Shows a run as it stands: its steps, what failed and why, and what waits for a decision.')
    .argument('<run>', runArgument)
    .option('-w, --watch', 'follow it to its end')
    .addHelpText(
      'after',
      examples([
        ['millrace show last'],
        ['millrace show mortgage-20261124-0930 --watch'],
        ["millrace show last --json | jq '.steps[].status'"],
      ]),
    )
    .action(
      action<readonly [string], { readonly watch?: boolean }>(async ({ args: [text], options, output }) => {
        using interrupt = listenForInterrupt();
        const { signal } = interrupt;
        const view = await withClient(async ({ client }) => {
          const handle = await findRun(text, client);
          if (options.watch !== true) return handle.view();
          const { followRun } = await import('../follow-run.js');
          return followRun(handle, { output, signal });
        });
        output.answer(view);
        if (options.watch === true) return signal.aborted ? exitCodes.interrupted : exitCodes.ok;
        if (!output.json) {
          const { runReport } = await import('../render/run-report.js');
          const { sayRows } = await import('../say-rows.js');
          sayRows(runReport(view, { width: output.width(), now: Date.now() }), output);
        }
        return exitCodes.ok;
      }),
    );
