import { Command, Option } from 'commander';
import type { MillraceClient } from '../../client/client.js';
import type { LineageGraph } from '../../lineage/graph.js';
import { isMillraceError } from '../../sdk/errors.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { withClient } from '../open-client.js';
import { positiveInteger } from '../parse-options.js';

type LineageCommandOptions = {
  readonly up?: boolean;
  readonly down?: boolean;
  readonly depth?: number;
  readonly limit?: number;
  readonly dot?: boolean;
  readonly mermaid?: boolean;
};

export const lineageCommand = (): Command =>
  new Command('lineage')
    .summary('what something was made from, or what was made from it')
    .description(
      'Shows which data, code, image, parameters, gates and approvals made a model version, an artifact or a run;\n' +
        'with --down what was made from it. Every step of the way is by digest.',
    )
    .argument('<what>', 'model@alias, model@version, a digest or its beginning, a run or `last`')
    .addOption(new Option('--up', 'what it was made from (default)').conflicts('down'))
    .addOption(new Option('--down', 'what was made from it'))
    .option('--depth <steps>', 'so many steps far', positiveInteger)
    .option('--limit <nodes>', 'at most so many nodes', positiveInteger, 500)
    .addOption(new Option('--dot', "print it in Graphviz's language").conflicts(['mermaid', 'json']))
    .addOption(new Option('--mermaid', 'print it as a Mermaid flowchart').conflicts('json'))
    .addHelpText(
      'after',
      examples([
        ['millrace lineage mortgage@champion'],
        ['millrace lineage sha256:9f2c41 --down --depth 2'],
        ['millrace lineage mortgage@3 --dot | dot -Tsvg > lineage.svg'],
      ]),
    )
    .action(
      action<readonly [string], LineageCommandOptions>(async ({ args: [what], options, output }) => {
        const graph = await withClient(({ client }) => find(what, options, client));
        output.answer(graph);
        if (output.json) return exitCodes.ok;
        if (options.dot === true || options.mermaid === true) {
          const { lineageDot } = await import('../../lineage/lineage-dot.js');
          const { lineageMermaid } = await import('../../lineage/lineage-mermaid.js');
          output.say((options.dot === true ? lineageDot : lineageMermaid)(graph).trimEnd());
          for (const note of graph.notes) output.note(note);
          return exitCodes.ok;
        }
        const { lineageTree } = await import('../render/lineage-tree.js');
        const { sayRows } = await import('../say-rows.js');
        sayRows(lineageTree(graph), output);
        return exitCodes.ok;
      }),
    );

async function find(
  what: string,
  { down, depth, limit }: LineageCommandOptions,
  client: MillraceClient,
): Promise<LineageGraph> {
  const options = {
    direction: down === true ? 'down' : 'up',
    ...(depth !== undefined && { depth }),
    ...(limit !== undefined && { limit }),
  } as const;
  try {
    return await client.lineage(what, options);
  } catch (error) {
    if (!isMillraceError(error) || error.code !== 'UNKNOWN_RUN') throw error;
    // A person may give the beginning of a run's id.
    const run = await findRun(what, client).catch(() => undefined);
    if (!run || run.id === what) throw error;
    return client.lineage(run.id, options);
  }
}
