import { Command, Option } from 'commander';
import { action, examples } from '../command.js';
import { UsageError } from '../usage-error.js';

type DemoFlags = { readonly yes?: boolean; readonly reject?: boolean; readonly resume?: string };

export const demoCommand = (): Command =>
  new Command('demo')
    .summary('run the mortgage example: data to champion, with a decision in between')
    .description(
      'Finds or starts the Temporal service, runs a worker in this process and the mortgage example on it. Steps run in Docker\n' +
        'where an engine answers, else as processes. At the approval it shows the evidence and asks. State lies in .millrace/.\n' +
        'Without a terminal and without an answer it ends with exit code 4 and says how to answer.',
    )
    .option('-y, --yes', 'approve without asking')
    .addOption(new Option('--reject', 'reject without asking: the run then fails').conflicts('yes'))
    .option('--resume <run>', 'go on with a demo run that waits')
    .addHelpText(
      'after',
      examples([
        ['millrace demo'],
        ['millrace demo --yes --json', 'the last line of stdout is one JSON object'],
        ['millrace demo --resume last --reject'],
      ]),
    )
    .action(
      action<readonly [], DemoFlags>(async ({ options: { yes, reject, resume }, output }) => {
        if (resume === '') throw new UsageError('--resume names no run.');
        const { runDemo } = await import('../demo/run-demo.js');
        return runDemo({
          answer:
            yes === true
              ? { decision: 'approved', reason: 'approved ahead with --yes' }
              : reject === true
                ? { decision: 'rejected', reason: 'rejected ahead with --reject' }
                : undefined,
          resume,
          since: Date.now() - process.uptime() * 1000,
          output,
        });
      }),
    );
