import { Command } from 'commander';
import { action, examples } from '../command.js';
import { listenForInterrupt } from '../interrupt.js';
import { withDebugTools } from '../open-debug-tools.js';
import type { InputFlags } from '../parse-input.js';
import { parseInputFlags } from '../parse-input.js';
import { collect, positiveInteger } from '../parse-options.js';
import { triedReport } from '../render/tried-step.js';
import { sayEnd } from '../say-end.js';
import { UsageError } from '../usage-error.js';
import { runArgument } from './show.js';

type StepFlags = {
  readonly attempt?: number;
  readonly source?: string;
  readonly input?: readonly string[];
};

export const stepCommand = (): Command =>
  new Command('step')
    .summary('run one step alone on recorded inputs, its result kept apart')
    .description(
      'Runs one step by itself on this machine, on what its run recorded or on other input or source, as an attempt would run.\n' +
        'Nothing of it becomes the run’s: the result is kept in a folder of its own, and shown beside what the run has.',
    )
    .argument('<run>', runArgument)
    .argument('<step>', 'path of the step, such as train#2 or score/train')
    .option('--source <folder>', 'the code in this folder in the place of its source')
    .option(
      '-i, --input <input>',
      'other input: JSON object, key=value or key=@path; may be repeated',
      collect,
    )
    .option(
      '--attempt <number>',
      'with the image and resources of this attempt; default: the newest',
      positiveInteger,
    )
    .addHelpText(
      'after',
      examples([
        ['millrace step last train#2'],
        ['millrace step last train --source ./trainer'],
        [`millrace step last train --input '{"trees": 200}' --json`],
      ]),
    )
    .action(
      action<readonly [string, string], StepFlags>(async ({ args: [run, step], options, output }) => {
        const { attempt, source, input } = options;
        const flags = parseInputFlags(input ?? []);
        using interrupt = listenForInterrupt();
        const { signal } = interrupt;
        const { colors } = output;
        const end = await withDebugTools(run, (tools, id) =>
          tools.step(
            { run: id, step, attempt },
            {
              signal,
              ...(source !== undefined && { source }),
              input: flags.values,
              files: singleFiles(flags),
              onReady: (tried) => output.note(triedReport(tried, colors)),
              onLine: ({ stream, text }) => output.say(stream === 'err' ? colors.yellow(text) : text),
            },
          ),
        );
        return sayEnd(end, { kept: 'Its result', output });
      }),
    );

/** @throws UsageError for a field that is given several */
const singleFiles = ({ files }: InputFlags): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(files).map(([key, [file = '', ...more]]) => {
      if (more.length > 0) throw new UsageError(`--input ${key}=@… is given ${more.length + 1} times.`);
      return [key, file];
    }),
  );
