import { Command } from 'commander';
import type { GarbageReport } from '../../client/index.js';
import { formatBytes } from '../../sdk/bytes.js';
import { durationMs } from '../../sdk/duration.js';
import { isMillraceError } from '../../sdk/errors.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { listenForInterrupt } from '../interrupt.js';
import { withClient } from '../open-client.js';
import type { Cell } from '../render/table.js';
import { tableRows } from '../render/table.js';
import { sayRows } from '../say-rows.js';
import { UsageError } from '../usage-error.js';

type GcOptions = { readonly olderThan: string; readonly dryRun?: boolean };

export const gcCommand = (): Command =>
  new Command('gc')
    .summary('remove old runs and what nothing reaches any more')
    .description(
      'Removes runs that closed long ago, and content that then no run, model or build reaches. Registered models stay with all ' +
        'they were made from. Safe beside running workers: what was stored or used within the last day stays.',
    )
    .requiredOption('--older-than <span>', 'runs that closed longer ago go: 30d, 12 hours')
    .option('--dry-run', 'say what would go, and remove nothing')
    .addHelpText(
      'after',
      examples([['millrace gc --older-than 30d --dry-run'], ['millrace gc --older-than 90d --json']]),
    )
    .action(
      action<readonly [], GcOptions>(async ({ options, output }) => {
        const olderThan = span(options.olderThan);
        using interrupt = listenForInterrupt();
        const { signal } = interrupt;
        const collected = await withClient(({ client }) =>
          client.collectGarbage({ olderThan, dryRun: options.dryRun === true, signal }),
        ).catch((error: unknown) => {
          if (!signal.aborted) throw error;
          return undefined;
        });
        if (!collected) return exitCodes.interrupted;
        output.answer(collected);
        if (!output.json) sayReport(collected, output);
        return exitCodes.ok;
      }),
    );

function span(text: string): number {
  try {
    return durationMs(text, '--older-than');
  } catch (cause) {
    if (!isMillraceError(cause)) throw cause;
    throw new UsageError(`Expected --older-than to be a span like 30d, got \`${text}\`.`, { cause });
  }
}

function sayReport(report: GarbageReport, output: Parameters<typeof sayRows>[1]): void {
  const { dryRun, runs, builds, removed, kept } = report;
  const verb = dryRun ? 'would remove' : 'removed';
  const row = (
    does: string,
    why: string,
    amount: { readonly blobs: number; readonly bytes: number },
  ): readonly Cell[] => [
    { text: does },
    { text: why },
    { text: String(amount.blobs) },
    { text: formatBytes(amount.bytes), style: 'bold' },
  ];
  sayRows(
    tableRows(
      ['', 'WHY', 'BLOBS', 'BYTES'],
      [
        ...(['run', 'build', 'unused'] as const).map((reason) =>
          row(verb, goes[reason], removed.byReason[reason]),
        ),
        ...(['model', 'run', 'build', 'young'] as const).map((reason) =>
          row('kept', stays[reason], kept.byReason[reason]),
        ),
      ],
    ),
    output,
  );
  output.say(
    `${verb} ${formatBytes(removed.bytes)} with ${runs.removed.length} runs and ${builds.removed} builds; ` +
      `kept ${formatBytes(kept.bytes)} with ${runs.kept} runs`,
  );
}

const goes = { run: 'of removed runs', build: 'of builds no run needs', unused: 'named by nothing' } as const;
const stays = {
  model: 'of registered models',
  run: 'of kept runs',
  build: 'of builds',
  young: 'stored or used within a day',
} as const;
