import { Command } from 'commander';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { withProjectTools } from '../open-debug-tools.js';
import { checkedLines, checkSummary } from '../render/replay-lines.js';

export const checkCommand = (): Command =>
  new Command('check')
    .summary('replay all open runs on the project as it is now, before it is deployed')
    .description(
      'Builds the project, publishes nothing, and replays the history of each open run of its queue on it: says which would go on\n' +
        'with the new code, and which would break, and where. Open runs stay on the build they began with, but those that --move moves. Needs the service.',
    )
    .option('--move', 'have the runs that replay go on with the new code from now on; needs a worker')
    .addHelpText(
      'after',
      examples([['millrace check', 'ends with 1 where a run would break'], ['millrace check --move']]),
    )
    .action(
      action<readonly [], { readonly move?: boolean }>(async ({ options, output }) => {
        const { quietTemporal } = await import('../quiet-temporal.js');
        quietTemporal();
        const report = await withProjectTools((tools) =>
          tools.check({
            move: options.move === true,
            onRun: (run) => checkedLines(run, output.colors).forEach(output.say),
          }),
        );
        output.say(checkSummary(report));
        output.answer(report);
        return report.ok ? exitCodes.ok : exitCodes.failed;
      }),
    );
