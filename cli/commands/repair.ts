import { Command } from 'commander';
import type { RepairOptions } from '../../client/repair-step.js';
import { bytes } from '../../sdk/bytes.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { withClient } from '../open-client.js';
import { collect } from '../parse-options.js';
import { UsageError } from '../usage-error.js';
import { runArgument } from './show.js';

type Options = {
  readonly retry?: boolean;
  readonly memory?: string;
  readonly image?: string;
  readonly input?: string;
  readonly source?: string;
  readonly output?: string;
  readonly artifact?: readonly string[];
  readonly skip?: boolean;
  readonly abort?: boolean;
  readonly reason?: string;
  readonly by?: string;
};

export const repairCommand = (): Command =>
  new Command('repair')
    .summary('repair a parked step, so that its run goes on')
    .description(
      'Repairs a step that is parked (`onFailure: "park"`): it is tried again, gets a result from you, is left out, or ended.\n' +
        'What does not fit the step is refused, and the step stays parked. Who did it and why is recorded.',
    )
    .argument('<run>', runArgument)
    .argument('<step>', 'path of the step, such as train#2')
    .option('--retry', 'try it again')
    .option('--memory <size>', 'with --retry: other memory, such as 8GiB')
    .option('--image <reference>', 'with --retry: another image')
    .option('--input <json>', 'with --retry: fields of its input to change')
    .option('--source <folder>', 'with --retry: another source folder')
    .option('--output <json>', 'give its output by hand; marked as such in lineage')
    .option(
      '--artifact <field=path>',
      'with or without --output: a file or folder of its output; may be repeated',
      collect,
    )
    .option('--skip', 'leave it out; its outputs have to be optional')
    .option('--abort', 'let it fail')
    .option('-r, --reason <text>', 'why; kept with the repair')
    .option('--by <name>', 'who repairs (default: the name of the operating system user)')
    .addHelpText(
      'after',
      examples([
        ['millrace repair last train --retry --memory 8GiB --reason "larger data this month"'],
        ['millrace repair last train --retry --source ./trainer'],
        [
          `millrace repair last train --output '{"auc": 0.81}' --artifact model=./m.pkl --reason "trained by hand"`,
        ],
      ]),
    )
    .action(
      action<readonly [string, string], Options>(async ({ args: [text, step], options, output }) => {
        const repair = repairOf(options);
        return withClient(async ({ client }) => {
          const handle = await findRun(text, client);
          await handle.repair(step, repair);
          output.say(`${step} of ${handle.id}: ${words[repair.do]}.`);
          output.answer({ run: handle.id, step, do: repair.do });
          return exitCodes.ok;
        });
      }),
    );

const words: Readonly<Record<RepairOptions['do'], string>> = {
  retry: 'is tried again',
  supply: 'has the output you gave',
  skip: 'is left out',
  abort: 'fails',
};

/** @throws UsageError unless exactly one thing is asked for */
function repairOf({ reason, by, ...options }: Options): RepairOptions {
  const { memory, image, input, source, output, artifact } = options;
  const changes = { memory, image, input, source };
  const changed = Object.entries(changes).filter(([, value]) => value !== undefined);
  const asked = [
    options.retry && 'retry',
    (output !== undefined || artifact) && 'supply',
    options.skip && 'skip',
    options.abort && 'abort',
  ].filter((each) => typeof each === 'string');
  const [first] = asked;
  if (first === undefined || asked.length > 1)
    throw new UsageError('Say what to do: one of --retry, --output or --artifact, --skip, --abort.');
  if (first !== 'retry' && changed.length > 0)
    throw new UsageError(`--${changed[0]?.[0]} goes with --retry only.`);
  const who = { ...(by !== undefined && { by }), ...(reason !== undefined && { reason }) };
  switch (first) {
    case 'retry':
      // A wrong size is refused before anything is uploaded.
      if (memory !== undefined) bytes(memory, '--memory');
      return {
        do: 'retry',
        ...who,
        ...(memory !== undefined && { memory }),
        ...(image !== undefined && { image }),
        ...(source !== undefined && { source }),
        ...(input !== undefined && { input: jsonObject('--input', input) }),
      };
    case 'supply':
      return {
        do: 'supply',
        ...who,
        ...(output !== undefined && { output: jsonObject('--output', output) }),
        ...(artifact && { artifacts: Object.fromEntries(artifact.map(pair)) }),
      };
    default:
      return { do: first === 'skip' ? 'skip' : 'abort', ...who };
  }
}

function jsonObject(option: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Readonly<Record<string, unknown>>;
  } catch {
    // Said below.
  }
  throw new UsageError(`Expected ${option} to be a JSON object, got \`${text}\`.`, {
    hint: `Put it in single quotes: ${option} '{"rows": 100}'`,
  });
}

function pair(text: string): readonly [string, string] {
  const [, field, file] = /^([^=\s]+)=(.+)$/s.exec(text) ?? [];
  if (field !== undefined && file !== undefined) return [field, file];
  throw new UsageError(`Expected --artifact to be field=path, got \`${text}\`.`);
}
