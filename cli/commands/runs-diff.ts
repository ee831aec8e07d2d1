import { Command } from 'commander';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { withClient } from '../open-client.js';

const runArgument = 'id of a run, the beginning of one, or `last`';

export const runsDiffCommand = (): Command =>
  new Command('diff')
    .summary('compare two runs')
    .description(
      'Shows what two runs have otherwise: input, code, images, parameters, metrics, artifacts and times of their steps.',
    )
    .argument('<a>', runArgument)
    .argument('<b>', runArgument)
    .addHelpText(
      'after',
      examples([
        ['millrace runs diff mortgage-20261123 last'],
        ["millrace runs diff A B --json | jq '.steps[].metrics'"],
      ]),
    )
    .action(
      action<readonly [string, string]>(async ({ args: [a, b], output }) => {
        const diff = await withClient(async ({ client }) => {
          const [left, right] = [await findRun(a, client), await findRun(b, client)];
          return client.diff(left.id, right.id);
        });
        output.answer(diff);
        if (output.json) return exitCodes.ok;
        const { diffRows } = await import('../render/diff-rows.js');
        const { sayRows } = await import('../say-rows.js');
        sayRows(diffRows(diff), output);
        return exitCodes.ok;
      }),
    );
