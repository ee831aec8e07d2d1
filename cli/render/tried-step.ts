import { formatBytes } from '../../sdk/bytes.js';
import type { CommandEnd, TriedStep } from '../../debug/debug-tools.js';
import type { Colors } from '../output.js';
import { formatDuration, formatNumber } from './format.js';
import { shortValue } from './short-value.js';
import { plainLine } from './text-width.js';

/** What a person finds around them: where it runs, what the step's own command is, what is not as it was. */
export function triedReport(
  { run, step, attempt, image, command, notes }: TriedStep,
  colors: Colors,
): string {
  return [
    `${colors.bold(step)} of ${run}, attempt ${attempt}, ${image ? `in ${image.reference} (${image.id.slice(0, 19)})` : 'as a process on this host'}`,
    `  command  ${plainLine(command.map(quoted).join(' '))}`,
    '  folder   $MILLRACE_DIR, with in/, out/, input.json and checkpoint/',
    ...notes.map((note) => `  ${colors.yellow('note')}     ${note}`),
  ].join('\n');
}

/** How a command that was tried ended, and what it made, each output beside what the run recorded. */
export function commandReport(end: CommandEnd, colors: Colors): string {
  const { succeeded, problem, exitCode, durationMs, peakMemoryBytes, metrics, outputs } = end;
  const facts = [
    exitCode === undefined ? end.reason : `exit ${exitCode}`,
    formatDuration(durationMs),
    ...(peakMemoryBytes === undefined ? [] : [`memory ${formatBytes(peakMemoryBytes)}`]),
  ];
  return [
    `${succeeded ? colors.green('succeeded') : colors.red('failed')}  ${facts.join(', ')}`,
    ...(problem === undefined ? [] : [`  ${colors.red(plainLine(problem))}`]),
    ...metrics.map(({ name, value }) => `  metric   ${plainLine(name)}=${formatNumber(value)}`),
    ...outputs.map(
      ({ field, value, same }) =>
        `  output   ${plainLine(field)} = ${shortValue(value)}${same === undefined ? '' : same ? colors.dim(', as the run has it') : colors.yellow(', other than the run has')}`,
    ),
  ].join('\n');
}

/** As a shell would take it. */
const quoted = (argument: string): string =>
  /^[\w@%+=:,./{}-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
