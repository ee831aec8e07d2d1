import type { RunView } from '../../client/views.js';
import { mapArtifacts } from '../../sdk/artifact.js';
import { isStoredValue } from '../../sdk/stored-value.js';
import { formatBytes } from '../../sdk/bytes.js';
import { isStepClosed } from '../../sdk/states.js';
import type { ErrorReport } from '../error-report.js';
import { failureReport } from '../error-report.js';
import { approvalRows } from './evidence.js';
import { formatTime } from './format.js';
import { runTree } from './run-tree.js';
import type { Row } from './styled-row.js';
import { plainLine } from './text-width.js';

/** All that `show` says of a run: where it stands, its tree, open decisions with the commands that answer them, its end. */
export function runReport(
  view: RunView,
  options: { readonly width: number | undefined; readonly now: number; readonly io?: boolean },
): readonly Row[] {
  const { run } = view;
  const tags = Object.entries(run.tags).map(([key, value]) => `${key}=${plainLine(value)}`);
  return [
    ...runTree(view, { ...options, failures: 'full' }).map(({ row }) => row),
    [],
    fact('started', formatTime(run.startedAt)),
    ...(run.closedAt === undefined ? [] : [fact('ended', formatTime(run.closedAt))]),
    ...(run.dueAt === undefined ? [] : [dueRow(run.dueAt, run.overdueAt)]),
    fact('build', run.build),
    ...(tags.length > 0 ? [fact('tags', tags.join(', '))] : []),
    ...(run.parent ? [fact('part of', `${run.parent.run}, ${run.parent.path}`)] : []),
    ...(run.recovers === undefined ? [] : [fact('recovers', run.recovers)]),
    ...(run.plan ? [fact('steps run in', run.plan.executor)] : []),
    ...(run.plan?.warning === undefined
      ? []
      : [[{ text: `  warning: ${plainLine(run.plan.warning)}`, style: 'yellow' as const }]]),
    ...(run.paused ? pausedRows(view) : []),
    ...openDecisions(view),
    ...endRows(view),
  ];
}

const fact = (name: string, value: string): Row => [
  { text: `  ${name.padEnd(14)}`, style: 'dim' },
  { text: value },
];

const dueRow = (dueAt: string, overdueAt: string | undefined): Row =>
  overdueAt === undefined
    ? fact('expected by', formatTime(dueAt))
    : [{ text: `  ${'expected by'.padEnd(14)}${formatTime(dueAt)}: overdue`, style: 'yellow' }];

function pausedRows({ run: { id, paused } }: RunView): readonly Row[] {
  if (!paused) return [];
  const { by, at, reason } = paused;
  const why = reason === undefined ? '' : `: ${plainLine(reason)}`;
  return [
    [],
    [{ text: `  paused by ${plainLine(by)} since ${formatTime(at)}${why}`, style: 'yellow' }],
    [{ text: `  millrace resume ${id}`, style: 'bold' }],
  ];
}

/** Those of child runs too. */
function openDecisions(view: RunView): readonly Row[] {
  return [
    ...view.approvals
      .filter(({ status }) => status === 'open')
      .flatMap((approval): readonly Row[] => [
        [],
        ...approvalRows(approval, view),
        [{ text: `  millrace approve ${view.run.id} ${approval.gate}`, style: 'bold' }],
        [{ text: `  millrace reject ${view.run.id} ${approval.gate} --reason "…"`, style: 'bold' }],
      ]),
    ...view.steps
      .filter(({ status }) => status === 'parked')
      .flatMap(({ path, detail }): readonly Row[] => [
        [],
        [{ text: `  ${path} is parked`, style: 'yellow' }, { text: detail ? `  ${plainLine(detail)}` : '' }],
        [{ text: `  millrace repair ${view.run.id} ${path} --retry`, style: 'bold' }],
      ]),
    ...view.steps.flatMap((step) => (step.child ? openDecisions(step.child) : [])),
  ];
}

function endRows({ run, steps, versions }: RunView): readonly Row[] {
  // What a step failed of stands under the step already.
  const shown = steps.some(
    ({ status, failure }) => isStepClosed(status) && failure && failure.what === run.failure?.what,
  );
  const failure = run.failure && !shown ? failureReport({ ...run.failure, run: undefined }) : undefined;
  return [
    ...versions.map((version) => fact('registered', `${version.name} version ${version.version}`)),
    ...(failure ? failureRows(failure) : []),
    ...(run.cleanupFailure ? cleanupRows(failureReport({ ...run.cleanupFailure, run: undefined })) : []),
    ...(run.output === undefined || run.output === null ? [] : resultRows(run.output)),
  ];
}

const failureRows = ({ code, message, hint }: ErrorReport): readonly Row[] => [
  [],
  [{ text: `  ${code}: ${plainLine(message)}`, style: 'red' }],
  ...(hint === undefined ? [] : [[{ text: `  → ${hint}`, style: 'cyan' as const }]]),
];

const cleanupRows = ({ code, message }: ErrorReport): readonly Row[] => [
  [],
  [{ text: `  its cleanup failed: ${code}: ${plainLine(message)}`, style: 'yellow' }],
];

const resultRows = (output: unknown): readonly Row[] => [
  [],
  ...resultText(output).split('\n').map((text): Row => [{ text: `  ${text}` }]), // prettier-ignore
];

/** A result as JSON for people: an artifact in it by its name, size and digest; a large one as a whole by these. */
export const resultText = (output: unknown): string =>
  isStoredValue(output)
    ? `JSON of ${formatBytes(output.size)}: millrace artifacts cat ${output.$value}`
    : JSON.stringify(
        mapArtifacts(
          output,
          ({ $artifact, name, size, digest }) => `${$artifact} ${name} (${formatBytes(size)}, ${digest})`,
        ),
        null,
        2,
      );
