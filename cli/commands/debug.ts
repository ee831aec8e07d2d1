import { Command } from 'commander';
import type { DebugTools, TriedStep } from '../../debug/debug-tools.js';
import { action, examples } from '../command.js';
import type { ExitCode } from '../exit-codes.js';
import { exitCodes } from '../exit-codes.js';
import { listenForInterrupt } from '../interrupt.js';
import { withDebugTools } from '../open-debug-tools.js';
import type { Output } from '../output.js';
import { positiveInteger } from '../parse-options.js';
import { triedReport } from '../render/tried-step.js';
import { sayEnd } from '../say-end.js';
import { UsageError } from '../usage-error.js';
import { runArgument } from './show.js';

type DebugOptions = {
  readonly attempt?: number;
  readonly command?: boolean;
  readonly keep?: boolean;
};

export const debugCommand = (): Command =>
  new Command('debug')
    .summary('open a shell where a step ran, or run its command there')
    .description(
      'Opens a shell in what an attempt of a step ran in: the same image by digest (or this host, of a process), the same\n' +
        'inputs, environment and checkpoint. Nothing is written to the run, and no service is needed.',
    )
    .argument('<run>', runArgument)
    .argument('<step>', 'path of the step, such as train#2 or score/train')
    .option('--attempt <number>', 'as this attempt had it; default: the newest', positiveInteger)
    .option('--command', "run the step's own command, and show how it ended and what it made")
    .option('--keep', 'leave the folder when it is over')
    .addHelpText(
      'after',
      examples([
        ['millrace debug last train#2'],
        ['millrace debug last train --attempt 1 --command'],
        ["echo 'ls -l $MILLRACE_DIR/in' | millrace debug last train"],
      ]),
    )
    .action(
      action<readonly [string, string], DebugOptions>(async ({ args: [run, step], options, output }) => {
        if (output.json && options.command !== true)
          throw new UsageError('A shell has no answer in JSON.', { hint: 'Use --json with --command.' });
        return withDebugTools(run, (tools, id) => {
          const choice = { run: id, step, attempt: options.attempt };
          const keep = options.keep === true;
          return options.command === true
            ? command(tools, { choice, keep, output })
            : shell(tools, { choice, keep, output });
        });
      }),
    );

type Tried = {
  readonly choice: Parameters<DebugTools['shell']>[0];
  readonly keep: boolean;
  readonly output: Output;
};

async function shell(tools: DebugTools, { choice, keep, output }: Tried): Promise<ExitCode> {
  using stop = listenForEnd();
  const onReady = (tried: TriedStep) => output.note(triedReport(tried, output.colors));
  const end = await tools.shell(choice, { keep, onReady, signal: stop.signal });
  if (keep) output.note(`Its folder is kept: ${end.folder}`);
  return end.exitCode === 0 ? exitCodes.ok : exitCodes.failed;
}

async function command(tools: DebugTools, { choice, keep, output }: Tried): Promise<ExitCode> {
  using interrupt = listenForInterrupt();
  const { colors } = output;
  const end = await tools.command(choice, {
    keep,
    signal: interrupt.signal,
    onReady: (tried) => output.note(triedReport(tried, colors)),
    onLine: ({ stream, text }) => output.say(stream === 'err' ? colors.yellow(text) : text),
  });
  return sayEnd(end, { kept: keep ? 'Its folder' : undefined, output });
}

/** Ctrl-C is the shell's own; what ends this process ends it. */
function listenForEnd(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const end = (name: NodeJS.Signals) => {
    if (name === 'SIGINT' && process.stdin.isTTY) return;
    controller.abort();
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, end);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of names) process.off(name, end);
    },
  };
}
