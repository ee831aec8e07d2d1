import type { Change, RunDiff, StepDiff } from '../../client/diff-runs.js';
import { formatDuration, formatTime } from './format.js';
import { shortValue } from './short-value.js';
import type { Row, Style } from './styled-row.js';
import { tableRows } from './table.js';
import { plainLine } from './text-width.js';

/** Two runs side by side: what differs, a line each; and what does not, in a word. */
export function diffRows({ a, b, run, input, steps, same }: RunDiff): readonly Row[] {
  const lines: Line[] = [...of('run', '', run), ...of('input', '', input), ...steps.flatMap(stepLines)];
  return [
    [{ text: 'a  ', style: 'red' }, { text: a.id, style: 'bold' }, dim(`  ${a.status}, ${formatTime(a.startedAt)}`)],
    [{ text: 'b  ', style: 'green' }, { text: b.id, style: 'bold' }, dim(`  ${b.status}, ${formatTime(b.startedAt)}`)],
    [],
    ...(lines.length === 0
      ? []
      : tableRows(
          ['STEP', 'WHAT', '', 'A', 'B'],
          lines.map(({ step, about, what, a: left, b: right }) => [
            { text: step, style: 'bold' as Style },
            { text: about, style: 'dim' as Style },
            { text: what },
            { text: left, style: 'red' as Style },
            { text: right, style: 'green' as Style },
          ]),
        )),
    ...(lines.length === 0 ? [] : [[]]),
    [
      dim(
        same
          ? 'Build, input, code, images and parameters are the same.'
          : 'What is not listed is the same in both.',
      ),
    ],
  ]; // prettier-ignore
}

type Line = {
  readonly step: string;
  readonly about: string;
  readonly what: string;
  readonly a: string;
  readonly b: string;
};

function stepLines(step: StepDiff): readonly Line[] {
  const { path, only, status, durationMs } = step;
  if (only) {
    const word = (side: 'a' | 'b') => (only === side ? (status[side] ?? '') : '–');
    return [{ step: path, about: 'step', what: `only in ${only}`, a: word('a'), b: word('b') }];
  }
  const lines = [
    ...of('status', path, status.a === status.b ? [] : [{ what: '', ...status }]),
    ...of('code', path, step.code),
    ...of('parameter', path, step.parameters),
    ...of('read', path, step.inputs),
    ...of('made', path, step.outputs),
    ...of('metric', path, step.metrics),
    ...of('result', path, step.results),
  ];
  const times = [durationMs.a, durationMs.b].map((ms) => (ms === undefined ? '' : formatDuration(ms)));
  const [left = '', right = ''] = times;
  return left === right ? lines : [...lines, { step: path, about: 'time', what: '', a: left, b: right }];
}

const of = (about: string, step: string, changes: readonly Change[]): readonly Line[] =>
  changes.map(({ what, a, b }) => ({
    step,
    about,
    what: plainLine(what),
    a: a === undefined ? '–' : shortValue(a, 40),
    b: b === undefined ? '–' : shortValue(b, 40),
  }));

const dim = (text: string) => ({ text, style: 'dim' }) as const;
