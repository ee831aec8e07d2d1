import { Command, Option } from 'commander';
import { artifactKinds } from '../../sdk/artifact.js';
import type { ArtifactKind } from '../../sdk/artifact.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { listenForInterrupt } from '../interrupt.js';
import { withClient } from '../open-client.js';
import { positiveInteger } from '../parse-options.js';
import { artifactReport, artifactTable, verifyRows } from '../render/artifacts.js';
import { sayRows } from '../say-rows.js';
import { UsageError } from '../usage-error.js';
import { runArgument } from './show.js';

const digestArgument = 'a digest or a beginning of one that no other has: sha256:ab12…, ab12';

export const artifactsCommand = (): Command =>
  new Command('artifacts')
    .summary('list, show, read and verify artifacts')
    .description('Lists, shows, reads and verifies what steps made and used, by digest.')
    .addHelpText(
      'after',
      examples([
        ['millrace artifacts ls --run last'],
        ['millrace artifacts show 3f266a89'],
        ['millrace artifacts get 3f266a89 ./model'],
        ['millrace artifacts cat 3f266a89/metrics.json'],
        ['millrace artifacts verify --all'],
      ]),
    )
    .addCommand(lsCommand())
    .addCommand(showCommand())
    .addCommand(getCommand())
    .addCommand(catCommand())
    .addCommand(verifyCommand());

type LsOptions = {
  readonly run?: string;
  readonly step?: string;
  readonly kind?: ArtifactKind;
  readonly name?: string;
  readonly limit: number;
};

const lsCommand = (): Command =>
  new Command('ls')
    .summary('list artifacts that steps made or used, newest first')
    .description('Lists artifacts that steps made or used, newest first, each digest once.')
    .option('-r, --run <run>', `only of this run: ${runArgument}`)
    .option('-s, --step <path>', 'only of steps of this path')
    .addOption(new Option('-k, --kind <kind>', 'only of this kind').choices(artifactKinds))
    .option('--name <name>', 'only of this name')
    .option('-n, --limit <count>', 'at most so many', positiveInteger, 50)
    .addHelpText(
      'after',
      examples([['millrace artifacts ls --run last'], ['millrace artifacts ls --kind model --json']]),
    )
    .action(
      action<readonly [], LsOptions>(async ({ options: { run, step, kind, name, limit }, output }) =>
        withClient(async ({ client }) => {
          const artifacts = await client.artifacts({
            limit,
            ...(run !== undefined && { run: (await findRun(run, client)).id }),
            ...(step !== undefined && { step }),
            ...(kind !== undefined && { kind }),
            ...(name !== undefined && { name }),
          });
          output.answer({ artifacts });
          if (artifacts.length === 0) output.note('No artifact fits.');
          else if (!output.json) sayRows(artifactTable(artifacts), output);
          return exitCodes.ok;
        }),
      ),
    );

const showCommand = (): Command =>
  new Command('show')
    .summary('show one: size, entries, who made and used it')
    .description('Shows what an artifact is, the entries of a folder, and who made and who used it.')
    .argument('<digest>', digestArgument)
    .addHelpText('after', examples([['millrace artifacts show 3f266a89']]))
    .action(
      action<readonly [string]>(async ({ args: [digest], output }) =>
        withClient(async ({ client }) => {
          const view = await client.artifact(digest);
          output.answer(view);
          if (!output.json) sayRows(artifactReport(view), output);
          return exitCodes.ok;
        }),
      ),
    );

const getCommand = (): Command =>
  new Command('get')
    .summary('write one to a path')
    .description('Writes an artifact, a file or a folder, to a path where nothing is.')
    .argument('<digest>', digestArgument)
    .argument('<path>', 'where to; nothing may be there')
    .addHelpText('after', examples([['millrace artifacts get 3f266a89 ./model']]))
    .action(
      action<readonly [string, string]>(async ({ args: [text, path], output }) =>
        withClient(async ({ client }) => {
          const { digest, type } = await client.artifact(text);
          await client.download({ digest, type }, path);
          output.answer({ digest, type, path });
          output.note(`${digest} is at ${path}`);
          return exitCodes.ok;
        }),
      ),
    );

const catCommand = (): Command =>
  new Command('cat')
    .summary('print a file, or one of a folder: DIGEST/PATH')
    .description('Prints the bytes of a file, or of a file in a folder: DIGEST/PATH. With --json too.')
    .argument('<file>', `${digestArgument}; with /PATH a file inside`)
    .addHelpText(
      'after',
      examples([['millrace artifacts cat 3f266a89'], ['millrace artifacts cat 3f266a89/metrics.json']]),
    )
    .action(
      action<readonly [string]>(async ({ args: [text] }) =>
        withClient(async ({ client }) => {
          const slash = text.indexOf('/');
          const [digest, path] = slash < 0 ? [text] : [text.slice(0, slash), text.slice(slash + 1)];
          const { pipeline } = await import('node:stream/promises');
          try {
            // stdout is the process's: it stays open.
            await pipeline(await client.readArtifact(digest, path), process.stdout, { end: false });
          } catch (error) {
            // Whoever reads has enough: `| head`.
            if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
          }
          return exitCodes.ok;
        }),
      ),
    );

type VerifyFlags = { readonly run?: string; readonly all?: boolean };

const verifyCommand = (): Command =>
  new Command('verify')
    .summary('read artifacts and name what is missing or has changed')
    .description(
      'Reads artifacts and names what is missing or has changed; the exit code is 1 where anything is.',
    )
    .argument('[digests...]', digestArgument)
    .option('-r, --run <run>', `all that this run names: ${runArgument}`)
    .option('--all', 'all that runs, models and builds name')
    .addHelpText(
      'after',
      examples([['millrace artifacts verify 3f266a89'], ['millrace artifacts verify --all --json']]),
    )
    .action(
      action<readonly [readonly string[]], VerifyFlags>(async ({ args: [digests], options, output }) => {
        const asked = [digests.length > 0, options.run !== undefined, options.all === true];
        if (asked.filter(Boolean).length !== 1)
          throw new UsageError('Expected one of: digests, --run RUN, --all.');
        using interrupt = listenForInterrupt();
        const { signal } = interrupt;
        return withClient(async ({ client }) => {
          const report = await client
            .verifyArtifacts({
              signal,
              ...(digests.length > 0 && { digests }),
              ...(options.run !== undefined && { run: (await findRun(options.run, client)).id }),
            })
            .catch((error: unknown) => {
              if (!signal.aborted) throw error;
              return undefined;
            });
          if (!report) return exitCodes.interrupted;
          output.answer(report);
          if (!output.json) sayRows(verifyRows(report), output);
          return report.bad.length === 0 ? exitCodes.ok : exitCodes.failed;
        });
      }),
    );
