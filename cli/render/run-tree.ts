import type { RunView, StepView } from '../../client/views.js';
import type { RunStatus, StepStatus } from '../../sdk/states.js';
import { isStepClosed } from '../../sdk/states.js';
import { failureReport, logTail } from '../error-report.js';
import { isArtifactRef } from '../../sdk/artifact.js';
import { formatDuration } from './format.js';
import { shortValue } from './short-value.js';
import { stepDurationMs, stepLabel } from './step-facts.js';
import { stepTail } from './step-tail.js';
import type { Row, Segment, Style } from './styled-row.js';
import { fitRow } from './styled-row.js';
import { padEnd, padStart, plainText, textWidth, wrap } from './text-width.js';

export type TreeOptions = {
  /** Columns; undefined: lines are as long as they are. */
  readonly width?: number | undefined;
  /** Time that open things are measured to, ms. */
  readonly now: number;
  /** Which picture of the spinner; only what runs has one. Without it a dot that stands. */
  readonly frame?: number;
  /** `full` puts message, log tail and hint under what failed. Default `line`: its row says the beginning. */
  readonly failures?: 'line' | 'full';
  /** Puts under each step what went in and came out, a line a field. */
  readonly io?: boolean;
};

/** A row of the tree and what it is about: a small terminal leaves out the least important ones. */
export type TreeRow = {
  readonly row: Row;
  readonly about: 'run' | 'open' | 'failed' | 'queued' | 'closed';
};

/** A run as a tree of its steps, child runs nested under the step that started them. Pure. */
export function runTree(view: RunView, options: TreeOptions): readonly TreeRow[] {
  const labels = labelWidth(view, options.width);
  const rows = [
    { row: headRow(view, options), about: 'run' } as const,
    ...preparingRows(view, options),
    ...stepRows({ view, indent: '', labels, options }),
  ];
  const { width } = options;
  return width === undefined ? rows : rows.map((each) => ({ ...each, row: fitRow(each.row, width) }));
}

function headRow({ run }: RunView, { now, frame }: TreeOptions): Row {
  const until = run.closedAt === undefined ? now : Date.parse(run.closedAt);
  const [symbol, style] = runSymbols[run.status];
  return [
    { text: `${symbol ?? spinner(frame)} `, style },
    { text: run.pipeline, style: 'bold' },
    { text: `  ${run.id}  `, style: 'dim' },
    { text: runWord(run), style },
    { text: `  ${formatDuration(until - Date.parse(run.startedAt))}` },
  ];
}

/** What people call the state of a run: an open one may be paused or on its way to its end. */
export function runWord({ status, paused, failure }: RunView['run']): string {
  if (status !== 'running') return status.replace('_', ' ');
  if (failure?.code === 'RUN_CANCELLED') return 'being cancelled';
  return paused ? 'paused' : 'running';
}

/** Before the first step images are pulled or built, which may take minutes. */
function preparingRows({ run, steps }: RunView, { now }: TreeOptions): readonly TreeRow[] {
  const prepares = run.status === 'running' && steps.length === 0 && run.plan === undefined;
  if (!prepares || now - Date.parse(run.startedAt) < 1_000) return [];
  return [
    { row: [{ text: '└─ preparing: images are looked up, pulled or built', style: 'dim' }], about: 'open' },
  ];
}

type Branch = {
  readonly view: RunView;
  /** What stands before the branch of each step: the lines of those above that go on. */
  readonly indent: string;
  readonly labels: number;
  readonly options: TreeOptions;
};

function stepRows({ view, indent, labels, options }: Branch): readonly TreeRow[] {
  return view.steps.flatMap((step, index) => {
    const last = index === view.steps.length - 1;
    const below = `${indent}${last ? '   ' : '│  '}`;
    return [
      {
        row: stepRow(step, `${indent}${last ? '└─ ' : '├─ '}`, { view, labels, options }),
        about: aboutOf(step),
      },
      ...(options.io === true ? valueRows(step, below) : []),
      ...(showsWhole(step, options) ? failureRows(step, below, options.width) : []),
      ...(step.child ? stepRows({ view: step.child, indent: below, labels, options }) : []),
    ];
  });
}

function stepRow(
  step: StepView,
  prefix: string,
  { view, labels, options }: Pick<Branch, 'view' | 'labels' | 'options'>,
): Row {
  const [symbol, style] = stepSymbols[step.status];
  const full = showsWhole(step, options);
  return [
    { text: prefix, style: 'dim' },
    { text: `${symbol ?? spinner(options.frame)} `, style },
    { text: padEnd(stepLabel(step), labels - textWidth(prefix)) },
    { text: padStart(timeOf(step, options.now), timeWidth), style: 'dim' },
    ...stepTail(step, view, full ? 'code' : 'text').flatMap((segment): readonly Segment[] => [
      { text: '  ' },
      segment,
    ]),
  ];
}

const timeWidth = 8;
// A gate takes no time worth reading.
const timeOf = (step: StepView, now: number): string =>
  step.kind === 'gate' ? '' : formatDuration(stepDurationMs(step, now));

/** Labels of all levels end in one column, as far as a wide one does not take more than half of the terminal. */
function labelWidth(view: RunView, width: number | undefined, depth = 1): number {
  const widths = view.steps.map((step) =>
    Math.max(
      depth * 3 + textWidth(stepLabel(step)),
      step.child ? labelWidth(step.child, undefined, depth + 1) : 0,
    ),
  );
  return Math.min(Math.max(0, ...widths), width === undefined ? Infinity : Math.floor(width / 2));
}

/** A child run shows the failure at the step it came from. */
const showsWhole = ({ failure, child }: StepView, { failures }: TreeOptions): boolean =>
  failures === 'full' && failure !== undefined && child === undefined;

function failureRows({ failure }: StepView, indent: string, width: number | undefined): readonly TreeRow[] {
  if (!failure) return [];
  const { message, hint, fields } = failureReport({ ...failure, run: undefined, step: undefined });
  const before = `${indent}  `;
  const columns = (width ?? 100) - textWidth(before);
  const lines = (text: string, style: Style): readonly Segment[] =>
    wrap(plainText(text).trimEnd(), columns).map((line) => ({ text: line, style }));
  return [
    ...lines(message, 'red'),
    ...logTail(fields).flatMap((line) => lines(`| ${line}`, 'dim')),
    ...(hint === undefined ? [] : lines(`→ ${hint}`, 'cyan')),
  ].map((segment) => ({ row: [{ text: before, style: 'dim' }, segment], about: 'failed' }));
}

/** Decisions and registrations say theirs in their own row. */
function valueRows({ kind, input, output }: StepView, indent: string): readonly TreeRow[] {
  if (kind !== 'step' && kind !== 'fetch' && kind !== 'pipeline') return [];
  const fields = (sign: string, value: unknown): readonly TreeRow[] =>
    fieldsOf(value).map(([name, field]) => ({
      row: [
        { text: `${indent}  `, style: 'dim' },
        { text: `${sign} `, style: 'dim' },
        { text: name === '' ? '' : `${plainText(name)}: `, style: 'dim' },
        { text: shortValue(field) },
      ],
      about: 'closed',
    }));
  return [...fields('←', input), ...fields('→', output)];
}

function fieldsOf(value: unknown): readonly (readonly [string, unknown])[] {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object' || Array.isArray(value) || isArtifactRef(value)) return [['', value]];
  return Object.entries(value).filter(([, field]) => field !== undefined);
}

const aboutOf = ({ status }: StepView): TreeRow['about'] => {
  if (status === 'queued') return 'queued';
  if (!isStepClosed(status)) return 'open';
  return status === 'failed' || status === 'lost' ? 'failed' : 'closed';
};

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const spinner = (frame: number | undefined): string =>
  frame === undefined ? '●' : (frames[frame % frames.length] ?? frames[0]);

/** Undefined: a spinner. */
type Symbol = readonly [symbol: string | undefined, style: Style];
const runSymbols: Readonly<Record<RunStatus, Symbol>> = {
  running: [undefined, 'cyan'],
  completed: ['✓', 'green'],
  failed: ['✗', 'red'],
  cancelled: ['⊘', 'yellow'],
  terminated: ['✗', 'red'],
  timed_out: ['✗', 'red'],
};
const stepSymbols: Readonly<Record<StepStatus, Symbol>> = {
  queued: ['○', 'dim'],
  running: [undefined, 'cyan'],
  waiting: ['?', 'yellow'],
  retrying: ['↻', 'yellow'],
  parked: ['‖', 'yellow'],
  completed: ['✓', 'green'],
  failed: ['✗', 'red'],
  cancelled: ['⊘', 'yellow'],
  lost: ['!', 'red'],
};
