import { Command } from 'commander';
import type { LogLine, RunHandle } from '../../client/client.js';
import type { RunView } from '../../client/views.js';
import { UnknownStep } from '../../sdk/errors.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { listenForInterrupt } from '../interrupt.js';
import { withClient } from '../open-client.js';
import type { Output } from '../output.js';
import { positiveInteger } from '../parse-options.js';
import { formatClock } from '../render/format.js';
import { plainText } from '../render/text-width.js';
import { runArgument } from './show.js';

type LogsOptions = { readonly follow?: boolean; readonly attempt?: number };

export const logsCommand = (): Command =>
  new Command('logs')
    .summary('print what the steps of a run printed')
    .description('Prints what steps printed, oldest first. With --json each line is one JSON object.')
    .argument('<run>', runArgument)
    .argument('[step]', 'path of one step, such as train#2; default: all')
    .option('-f, --follow', 'go on until the run ends')
    .option('--attempt <number>', 'only this attempt', positiveInteger)
    .addHelpText(
      'after',
      examples([
        ['millrace logs last'],
        ['millrace logs last train#2 -f'],
        ['millrace logs last train --attempt 1'],
      ]),
    )
    .action(
      action<readonly [string, string | undefined], LogsOptions>(async ({ args, options, output }) => {
        const [text, step] = args;
        using interrupt = listenForInterrupt();
        const { signal } = interrupt;
        return withClient(async ({ client }) => {
          const handle = await findRun(text, client);
          if (step !== undefined) await checkStep(step, handle);
          const lines = handle.logs({
            follow: options.follow === true,
            signal,
            ...(step !== undefined && { step }),
            ...(options.attempt !== undefined && { attempt: options.attempt }),
          });
          for await (const line of lines) printLine(line, { step, output });
          return signal.aborted ? exitCodes.interrupted : exitCodes.ok;
        });
      }),
    );

async function checkStep(step: string, handle: RunHandle): Promise<void> {
  const view = await handle.view();
  const known = stepsOfTree(view);
  // A step that is not there yet may come as long as the run is open.
  if (view.run.status === 'running' || known.some((path) => path === step || path.endsWith(`/${step}`)))
    return;
  throw new UnknownStep(`The run has no step \`${step}\`.`, {
    run: view.run.id,
    hint: `Its steps: ${known.join(', ') || 'none'}.`,
  });
}

const stepsOfTree = ({ steps }: RunView, prefix = ''): readonly string[] =>
  steps.flatMap(({ path, child }) => [
    prefix + path,
    ...(child ? stepsOfTree(child, `${prefix}${path}/`) : []),
  ]);

function printLine(
  line: LogLine,
  { step, output }: { readonly step: string | undefined; readonly output: Output },
): void {
  if (output.json) {
    output.answer(line);
    return;
  }
  const { colors } = output;
  const name =
    step === undefined ? `${line.path}${line.attempt > 1 ? ` (attempt ${line.attempt})` : ''} ` : '';
  const text = plainText(line.text).trimEnd();
  output.say(
    `${colors.dim(line.at ? formatClock(line.at) : '')} ${colors.cyan(name)}${line.stream === 'err' ? colors.yellow(text) : text}`,
  );
}
