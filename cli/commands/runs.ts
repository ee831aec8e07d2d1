import { Command, Option } from 'commander';
import type { ListedRun } from '../../client/list-runs.js';
import { heldStatuses, runStatuses } from '../../sdk/states.js';
import type { HeldStatus, RunStatus } from '../../sdk/states.js';
import type { RunRecord } from '../../store/catalog.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { withClient } from '../open-client.js';
import { collect, positiveInteger } from '../parse-options.js';
import { parseSince } from '../parse-since.js';
import { parseTags } from '../parse-tags.js';
import type { Cell } from '../render/table.js';
import { runsDiffCommand } from './runs-diff.js';

type RunsOptions = {
  readonly status?: RunStatus | HeldStatus;
  readonly tag?: readonly string[];
  readonly since?: string;
  readonly pipeline?: string;
  readonly limit: number;
};

export const runsCommand = (): Command =>
  new Command('runs')
    .summary('list runs, newest first, or compare two')
    .description('Lists runs, newest first. Child runs are shown with their parents: millrace show RUN.')
    .addCommand(runsDiffCommand())
    .addOption(
      new Option(
        '-s, --status <status>',
        'only runs of this status, or with something parked, waiting for a decision or paused',
      ).choices([...runStatuses, ...heldStatuses]),
    )
    .option('-t, --tag <key=value>', 'only runs with this tag; may be repeated: all must fit', collect)
    .option('--since <span or date>', 'only runs started since: 2h, 3 days, 2026-11-24')
    .option('-p, --pipeline <name>', 'only runs of this pipeline')
    .option('-n, --limit <count>', 'at most so many', positiveInteger, 20)
    .addHelpText(
      'after',
      examples([
        ['millrace runs --status failed --since 2h'],
        ['millrace runs --status parked', 'what waits for a repair'],
        ['millrace runs --pipeline mortgage --tag team=risk --json'],
        ['millrace runs diff mortgage-20261123 last', 'what two runs have otherwise'],
      ]),
    )
    .action(
      action<readonly [], RunsOptions>(async ({ options, output }) => {
        const filter = {
          limit: options.limit,
          tags: parseTags(options.tag ?? []),
          ...(options.status !== undefined && { status: options.status }),
          ...(options.since !== undefined && { since: parseSince(options.since) }),
          ...(options.pipeline !== undefined && { pipeline: options.pipeline }),
        };
        const runs = await withClient(({ client }) => client.runs(filter));
        output.answer({ runs });
        if (output.json) return exitCodes.ok;
        if (runs.length === 0) {
          output.note('No run fits. Start one: millrace run PIPELINE');
          return exitCodes.ok;
        }
        const [{ tableRows }, { sayRows }, { formatDuration, formatTime }, { runWord }] = await Promise.all([
          import('../render/table.js'),
          import('../say-rows.js'),
          import('../render/format.js'),
          import('../render/run-tree.js'),
        ]);
        const cells = runs.map((run): readonly Cell[] => [
          { text: run.id },
          stateCell(run, runWord(run)),
          { text: formatTime(run.startedAt), style: 'dim' },
          { text: formatDuration(runMs(run)) },
          { text: Object.entries(run.tags).map((tag) => tag.join('=')).join(' '), style: 'dim' }, // prettier-ignore
        ]);
        sayRows(tableRows(['RUN', 'STATUS', 'STARTED', 'TIME', 'TAGS'], cells), output);
        return exitCodes.ok;
      }),
    );

/** Who looks at the list sees what waits for them. */
function stateCell({ status, held }: ListedRun, word: string): Cell {
  const words = (['parked', 'waiting'] as const).flatMap((waits) => {
    const count = held.filter((step) => step.status === waits).length;
    return count === 0 ? [] : [count === 1 ? waits : `${count} ${waits}`];
  });
  if (word !== 'running' || words.length === 0) return { text: word, style: statusStyles[status] };
  return { text: words.join(', '), style: 'yellow' };
}

const runMs = ({ startedAt, closedAt }: RunRecord): number =>
  (closedAt === undefined ? Date.now() : Date.parse(closedAt)) - Date.parse(startedAt);

const statusStyles: Readonly<Record<RunStatus, 'cyan' | 'green' | 'red' | 'yellow'>> = {
  running: 'cyan',
  completed: 'green',
  failed: 'red',
  cancelled: 'yellow',
  terminated: 'red',
  timed_out: 'red',
};
