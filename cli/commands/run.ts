import { Command } from 'commander';
import type { DryRun, StartOptions } from '../../client/client.js';
import { durationMs } from '../../sdk/duration.js';
import { awaitRun } from '../await-run.js';
import { action, examples } from '../command.js';
import type { ExitCode } from '../exit-codes.js';
import { exitCodes } from '../exit-codes.js';
import type { OpenClient } from '../open-client.js';
import { withClient } from '../open-client.js';
import type { Output } from '../output.js';
import type { InputFlags } from '../parse-input.js';
import { parseInputFlags } from '../parse-input.js';
import { collect } from '../parse-options.js';
import { parseTags } from '../parse-tags.js';

type RunOptions = {
  readonly input?: readonly string[];
  readonly tag?: readonly string[];
  readonly id?: string;
  readonly timeout?: string;
  readonly wait?: boolean;
  readonly watch?: boolean;
  readonly dryRun?: boolean;
  readonly cache: boolean;
  readonly refresh?: readonly string[];
  readonly park?: boolean;
};

export const runCommand = (): Command =>
  new Command('run')
    .summary('start a run of a pipeline')
    .description(
      'Starts a run on the current build. Without --wait or --watch it returns when the run has started.\n' +
        'A file or folder enters a run as an artifact: key=@path uploads it as the kind that the field takes.',
    )
    .argument('<pipeline>', 'name of the pipeline')
    .option(
      '-i, --input <input>',
      'JSON object, key=value or key=@path; may be repeated, later ones win',
      collect,
    )
    .option('-t, --tag <key=value>', 'tag of the run; may be repeated', collect)
    .option('--id <id>', 'id of the run; starting twice with one id is one run')
    .option('--timeout <duration>', 'longest time of the whole run, such as 2h')
    .option('-w, --wait', 'wait for the end and print the result')
    .option('--watch', 'wait for the end and show the steps as they go')
    .option('--no-cache', 'neither take results from the cache nor keep any')
    .option('--refresh <step>', 'compute this cached step anew; may be repeated', collect)
    .option('--park', 'steps that fail for good wait for `millrace repair` instead of ending the run')
    .option('--dry-run', 'check input, images, secrets and capacity; start nothing')
    .addHelpText(
      'after',
      examples([
        ['millrace run quickstart --wait'],
        ['millrace run mortgage --input csv=@./hmda.csv --input minAuc=0.8 --watch'],
        [`millrace run mortgage --input '{"seed": 3}' --input csv=@./hmda.csv --tag team=risk`],
        ['millrace run mortgage --input csv=@./hmda.csv --dry-run', 'says what would refuse the run'],
      ]),
    )
    .action(
      action<readonly [string], RunOptions>(async ({ args: [pipeline], options, output }) => {
        const flags = parseInputFlags(options.input ?? []);
        const start = startOptions(options);
        return withClient(async (open) => {
          const input = await readInput(pipeline, flags, open);
          if (options.dryRun === true) return dryRun(await open.client.dryRun(pipeline, input), output);
          const handle = await open.client.start(pipeline, input, start);
          return awaitRun(handle, { ...options, output });
        });
      }),
    );

function startOptions({ id, tag, timeout, cache, refresh, park }: RunOptions): StartOptions {
  // A wrong duration is refused before a file is uploaded.
  if (timeout !== undefined) durationMs(timeout, '--timeout');
  return {
    tags: parseTags(tag ?? []),
    ...(id !== undefined && { runId: id }),
    ...(timeout !== undefined && { timeout }),
    ...(!cache && { cache }),
    ...(refresh && { refresh }),
    ...(park === true && { onFailure: 'park' as const }),
  };
}

async function readInput(
  pipeline: string,
  flags: InputFlags,
  { client, config }: OpenClient,
): Promise<Readonly<Record<string, unknown>>> {
  if (Object.keys(flags.files).length === 0) return flags.values;
  const [{ uploadInputs }, { pipelineOfBuild }, { openArtifactStore }] = await Promise.all([
    import('../upload-inputs.js'),
    import('../../client/pipelines-of-build.js'),
    import('../../store/open-artifact-store.js'),
  ]);
  const { input: schema } = await pipelineOfBuild(pipeline, {
    build: await client.currentBuild(),
    store: await openArtifactStore(config.store, config),
    projectDir: config.projectDir,
  });
  return uploadInputs(flags, { schema, client });
}

function dryRun(found: DryRun, output: Output): ExitCode {
  const { colors } = output;
  const { problems, warnings } = found;
  for (const { name, executor, image, detail } of found.steps)
    output.say([name, executor, image?.slice(0, 19), detail].filter(Boolean).join('  '));
  for (const warning of warnings) output.say(`${colors.yellow('warning')}: ${warning}`);
  for (const { code, message } of problems)
    output.say(`${colors.red('problem')} ${colors.bold(code)}: ${message}`);
  if (problems.length === 0) output.say(colors.green(`A run of ${found.pipeline} would be accepted.`));
  output.answer(found);
  return problems.length === 0 ? exitCodes.ok : exitCodes.usage;
}
