import { Command } from 'commander';
import type { WhyEntry } from '../../client/run-why.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { withClient } from '../open-client.js';
import { formatClock } from '../render/format.js';
import { tableRows } from '../render/table.js';
import { sayRows } from '../say-rows.js';
import { runArgument } from './show.js';

export const whyCommand = (): Command =>
  new Command('why')
    .summary('say what was decided about a run or step, and why')
    .description(
      'Prints each decision about a run and its child runs, or about one of their steps, with its cause, oldest first.',
    )
    .argument('<run>', runArgument)
    .argument('[step]', 'path of one step, such as train#2 or score/train')
    .addHelpText(
      'after',
      examples([['millrace why last'], ['millrace why last train#2'], ['millrace why last score/train']]),
    )
    .action(
      action<readonly [string, string | undefined]>(async ({ args: [text, step], output }) =>
        withClient(async ({ client }) => {
          const handle = await findRun(text, client);
          const entries = await handle.why(step);
          output.answer({ run: handle.id, entries });
          if (!output.json) sayRows(whyTable(entries), output);
          return exitCodes.ok;
        }),
      ),
    );

const whyTable = (entries: readonly WhyEntry[]) =>
  tableRows(
    ['TIME', 'STEP', 'WHAT', 'WHY'],
    entries.map(({ at, path, kind, text }) => [
      { text: formatClock(at), style: 'dim' as const },
      { text: path || 'run', style: 'bold' as const },
      { text: kind },
      { text },
    ]),
  );
