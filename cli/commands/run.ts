import { Command } from 'commander';
import type { DryRun, MillraceClient, RunHandle, StartOptions } from '../../client/client.js';
import { durationMs } from '../../sdk/duration.js';
import { isStoredValue } from '../../sdk/stored-value.js';
import type { RunView } from '../../client/views.js';
import { action, examples } from '../command.js';
import type { ExitCode } from '../exit-codes.js';
import { exitCodeOfRun, exitCodes } from '../exit-codes.js';
import { listenForInterrupt } from '../interrupt.js';
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
          return follow(handle, { options, output, client: open.client });
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

type Following = {
  readonly options: RunOptions;
  readonly output: Output;
  readonly client: MillraceClient;
};

async function follow(handle: RunHandle, { options, output }: Following): Promise<ExitCode> {
  if (options.wait !== true && options.watch !== true) {
    output.say(handle.id);
    output.note(output.colors.dim(`Follow it: millrace show ${handle.id} --watch`));
    output.answer({ run: handle.id });
    return exitCodes.ok;
  }
  using interrupt = listenForInterrupt();
  const { signal } = interrupt;
  const view = options.watch === true ? await watch(handle, output, signal) : await wait(handle, signal);
  if (signal.aborted) {
    output.note(
      `The run goes on: millrace show ${handle.id} --watch. To stop it: millrace cancel ${handle.id}`,
    );
    output.answer({ run: handle.id, status: 'running' });
    return exitCodes.interrupted;
  }
  const { run } = view;
  const { warning } = run.plan ?? {};
  // Without a live tree the events have said it already.
  if (warning !== undefined && (options.watch !== true || output.terminal))
    output.note(`${output.colors.yellow('warning')}: ${warning}`);
  if (run.failure) {
    const { failureReport, formatErrorReport } = await import('../error-report.js');
    output.note(formatErrorReport(failureReport(run.failure), output.colors));
  }
  const result = isStoredValue(run.output) ? await handle.result() : run.output;
  if (run.status === 'completed') {
    const { resultText } = await import('../render/run-report.js');
    if (run.output !== undefined && run.output !== null)
      output.say(resultText(output.terminal ? run.output : result));
  }
  output.answer({
    run: run.id,
    status: run.status,
    ...(result !== undefined && { output: result }),
    ...(run.failure && { error: run.failure }),
    ...(warning !== undefined && { warning }),
  });
  return exitCodeOfRun(run.status);
}

async function watch(handle: RunHandle, output: Output, signal: AbortSignal): Promise<RunView> {
  const { followRun } = await import('../follow-run.js');
  return followRun(handle, { output, signal });
}

/** The service answers the moment the run ends: nothing is asked again and again. */
async function wait(handle: RunHandle, signal: AbortSignal): Promise<RunView> {
  const { isMillraceError } = await import('../../sdk/errors.js');
  try {
    await handle.result({ signal });
  } catch (error) {
    if (!signal.aborted && !isMillraceError(error)) throw error;
    if (isMillraceError(error) && unanswered.has(error.code)) throw error;
  }
  return handle.view();
}

/** Errors of the asking, not of the run. */
const unanswered: ReadonlySet<string> = new Set(['TEMPORAL_UNAVAILABLE', 'UNKNOWN_RUN']);

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
