import { Command } from 'commander';
import type { RunView, StepView } from '../../client/views.js';
import { UnknownStep } from '../../sdk/errors.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { listenForInterrupt } from '../interrupt.js';
import { withClient } from '../open-client.js';
import { UsageError } from '../usage-error.js';

export const runArgument = 'id of a run, the beginning of one, or `last`';

export const showCommand = (): Command =>
  new Command('show')
    .summary('show a run with its steps, or one step in full')
    .description(
      'Shows a run as it stands: its steps, what failed and why, and what waits for a decision.\n' +
        'With a step, that one in full: its attempts, its whole input and output.',
    )
    .argument('<run>', runArgument)
    .argument('[step]', 'path of one step, such as train#2')
    .option('--io', 'with what went into each step and came out')
    .option('-w, --watch', 'follow it to its end')
    .addHelpText(
      'after',
      examples([
        ['millrace show last'],
        ['millrace show last --io'],
        ['millrace show last train#2'],
        ['millrace show mortgage-20261124-0930 --watch'],
        ["millrace show last --json | jq '.steps[].status'"],
      ]),
    )
    .action(
      action<readonly [string, string | undefined], { readonly watch?: boolean; readonly io?: boolean }>(
        async ({ args: [text, path], options, output }) => {
          if (path !== undefined && options.watch === true)
            throw new UsageError('A single step cannot be watched.', {
              hint: '`millrace logs RUN STEP -f` follows what it prints.',
            });
          using interrupt = listenForInterrupt();
          const { signal } = interrupt;
          const view = await withClient(async ({ client }) => {
            const handle = await findRun(text, client);
            if (options.watch !== true) return handle.view();
            const { followRun } = await import('../follow-run.js');
            return followRun(handle, { output, signal });
          });
          if (path !== undefined) {
            const found = stepOf(view, path);
            output.answer(found.step);
            if (!output.json) {
              const { stepReport } = await import('../render/step-report.js');
              const { sayRows } = await import('../say-rows.js');
              sayRows(stepReport(found.step, found.view, Date.now()), output);
            }
            return exitCodes.ok;
          }
          output.answer(view);
          if (options.watch === true) return signal.aborted ? exitCodes.interrupted : exitCodes.ok;
          if (!output.json) {
            const { runReport } = await import('../render/run-report.js');
            const { sayRows } = await import('../say-rows.js');
            sayRows(
              runReport(view, { width: output.width(), now: Date.now(), io: options.io === true }),
              output,
            );
          }
          return exitCodes.ok;
        },
      ),
    );

/** The step of this path, of the run or of a child run below one of its steps: `score/train#2`. @throws UnknownStep */
function stepOf(view: RunView, path: string): { readonly step: StepView; readonly view: RunView } {
  for (const step of view.steps) {
    if (step.path === path) return { step, view };
    if (step.child && path.startsWith(`${step.path}/`))
      return stepOf(step.child, path.slice(step.path.length + 1));
  }
  const known = view.steps.map((step) => step.path);
  throw new UnknownStep(`The run has no step \`${path}\`.`, {
    run: view.run.id,
    hint: known.length > 0 ? `It has: ${known.slice(0, 20).join(', ')}.` : 'It has none yet.',
    fields: { known },
  });
}
