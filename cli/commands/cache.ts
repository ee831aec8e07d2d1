import { Command } from 'commander';
import type { CachedResult, MillraceClient } from '../../client/client.js';
import type { CacheWhy } from '../../client/cache-why.js';
import type { CacheFilter } from '../../store/cache-index.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { withClient } from '../open-client.js';
import type { Output } from '../output.js';
import { positiveInteger } from '../parse-options.js';
import { parseSince } from '../parse-since.js';
import { formatTime } from '../render/format.js';
import { tableRows } from '../render/table.js';
import { sayRows } from '../say-rows.js';
import { UsageError } from '../usage-error.js';

export const cacheCommand = (): Command =>
  new Command('cache')
    .summary('cached results: what there is, why a step ran, letting go')
    .description('Results of steps declared with `cache`, each under the digest of all that could change it.')
    .addCommand(lsCommand())
    .addCommand(whyCommand())
    .addCommand(evictCommand())
    .addHelpText(
      'after',
      examples([
        ['millrace cache ls'],
        ['millrace cache why last train'],
        ['millrace cache evict --step train'],
      ]),
    );

type LsOptions = { readonly step?: string; readonly run?: string; readonly limit: number };

const lsCommand = (): Command =>
  new Command('ls')
    .summary('list cached results, newest first')
    .description('Lists cached results, newest first, with how often they were taken.')
    .option('-s, --step <name>', 'only results of this step')
    .option('-r, --run <run>', 'only results that this run computed')
    .option('-n, --limit <count>', 'at most so many', positiveInteger, 20)
    .addHelpText('after', examples([['millrace cache ls --step train'], ['millrace cache ls --json']]))
    .action(
      action<readonly [], LsOptions>(async ({ options: { step, run, limit }, output }) =>
        withClient(async ({ client }) => {
          const entries = await client.cache.entries({
            limit,
            ...(step !== undefined && { step }),
            ...(run !== undefined && { run: (await findRun(run, client)).id }),
          });
          output.answer({ entries });
          if (entries.length === 0) output.note('No result is cached. A step keeps them with `cache: true`.');
          else if (!output.json) sayRows(entryTable(entries), output);
          return exitCodes.ok;
        }),
      ),
    );

const entryTable = (entries: readonly CachedResult[]) =>
  tableRows(
    ['KEY', 'STEP', 'COMPUTED', 'RUN', 'TAKEN', 'LAST TAKEN'],
    entries.map(({ key, step, createdAt, run, path, hits, lastHitAt }) => [
      { text: key.slice(0, 19) },
      { text: step, style: 'bold' as const },
      { text: formatTime(createdAt), style: 'dim' as const },
      { text: `${run} ${path}` },
      { text: String(hits) },
      { text: lastHitAt === undefined ? '' : formatTime(lastHitAt), style: 'dim' as const },
    ]),
  );

const whyCommand = (): Command =>
  new Command('why')
    .summary('say why a step was computed or not, and what of its key changed')
    .description(
      'Says what the cache did for a step of a run, and which parts of its key changed since an earlier run.',
    )
    .argument('<run>', 'id of a run, the beginning of one, or `last`')
    .argument('<step>', 'path of the step: train, train#2')
    .addHelpText('after', examples([['millrace cache why last train']]))
    .action(
      action<readonly [string, string]>(async ({ args: [run, path], output }) =>
        withClient(async ({ client }) => {
          const why = await client.cache.why((await findRun(run, client)).id, path);
          output.answer(why);
          if (!output.json) sayWhy(why, output);
          return exitCodes.ok;
        }),
      ),
    );

function sayWhy(why: CacheWhy, output: Output): void {
  const { colors } = output;
  output.say(`${colors.bold(why.path)}  ${outcomeWords(why)}`);
  if (why.key !== undefined) output.say(colors.dim(`  key ${why.key}`));
  if (!why.since) {
    if (why.outcome === 'computed') output.say('  No earlier run of this pipeline had a key for this step.');
    return;
  }
  const since = `${why.since.run} ${why.since.path}`;
  if (why.changes.length === 0) output.say(`  The key is the same as in ${since}.`);
  else output.say(`  Since ${since}:`);
  for (const { part, says } of why.changes) output.say(`    ${colors.yellow(part)}: ${says}`);
}

function outcomeWords({ outcome, from, reason }: CacheWhy): string {
  switch (outcome) {
    case 'hit':
      return `taken from ${from?.run} ${from?.path}`;
    case 'joined':
      return `waited for ${from?.run} ${from?.path}, which computed the same`;
    case 'computed':
      return `computed: ${reason ?? 'no entry'}`;
    case 'off':
      return 'not cached: the step has no `cache`, or the run was started with --no-cache';
  }
}

type EvictOptions = {
  readonly step?: string;
  readonly run?: string;
  readonly olderThan?: string;
  readonly all?: boolean;
};

const evictCommand = (): Command =>
  new Command('evict')
    .summary('let go of cached results; their content stays until it is collected')
    .description('Lets go of cached results, so that the next run computes them anew. Their content stays.')
    .argument('[key]', 'content key, or the beginning of one')
    .option('-s, --step <name>', 'results of this step')
    .option('-r, --run <run>', 'results that this run computed')
    .option('--older-than <span or date>', 'results computed before: 30d, 2026-11-01')
    .option('--all', 'every result')
    .addHelpText(
      'after',
      examples([
        ['millrace cache evict sha256:3f26'],
        ['millrace cache evict --step train --older-than 30d'],
        ['millrace cache evict --all'],
      ]),
    )
    .action(
      action<readonly [string | undefined], EvictOptions>(async ({ args: [key], options, output }) =>
        withClient(async ({ client }) => {
          const evicted = await client.cache.evict(await evictFilter(key, options, client));
          output.answer({ evicted });
          output.say(`${evicted} cached ${evicted === 1 ? 'result is' : 'results are'} gone.`);
          return exitCodes.ok;
        }),
      ),
    );

async function evictFilter(
  key: string | undefined,
  { step, run, olderThan, all }: EvictOptions,
  client: MillraceClient,
): Promise<CacheFilter> {
  const chosen = [key, step, run, olderThan].some((value) => value !== undefined);
  if (chosen === (all === true))
    throw new UsageError('Say which results to let go of: a key, --step, --run, --older-than, or --all.');
  return {
    ...(key !== undefined && { key: await wholeKey(key, client) }),
    ...(step !== undefined && { step }),
    ...(run !== undefined && { run: (await findRun(run, client)).id }),
    ...(olderThan !== undefined && { before: parseSince(olderThan) }),
    // Another host's clock may be ahead.
    ...(all && { before: new Date(Date.now() + 86_400_000).toISOString() }),
  };
}

async function wholeKey(text: string, client: MillraceClient): Promise<NonNullable<CacheFilter['key']>> {
  const start = text.startsWith('sha256:') ? text : `sha256:${text}`;
  const found = (await client.cache.entries({ limit: 100_000 })).filter(({ key }) => key.startsWith(start));
  const [entry, ...others] = found;
  if (!entry) throw new UsageError(`No cached result has a key that begins with ${start}.`);
  if (others.length > 0) throw new UsageError(`${found.length} keys begin with ${start}: give more of it.`);
  return entry.key;
}
