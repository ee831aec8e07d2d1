import type { RunView, StepView } from '../../client/views.js';
import { formatBytes } from '../../sdk/bytes.js';
import { failureReport } from '../error-report.js';
import { formatDuration, formatNumber, formatTime } from './format.js';
import { resultText } from './run-report.js';
import { stepDurationMs } from './step-facts.js';
import { stepTail } from './step-tail.js';
import type { Row } from './styled-row.js';
import { plainLine, plainText } from './text-width.js';

/** One step in full: where and how it ran, each attempt, what went in and came out. */
export function stepReport(step: StepView, view: RunView, now: number): readonly Row[] {
  const image = view.run.plan?.images[step.name];
  return [
    [
      { text: step.path, style: 'bold' },
      { text: `  ${view.run.id}  `, style: 'dim' },
      { text: step.status },
      { text: `  ${formatDuration(stepDurationMs(step, now))}` },
      ...stepTail(step, view, 'code').flatMap((segment) => [{ text: '  ' }, segment]),
    ],
    fact('step', `${step.name}, ${step.kind}`),
    fact('scheduled', formatTime(step.scheduledAt)),
    ...(step.closedAt === undefined ? [] : [fact('ended', formatTime(step.closedAt))]),
    ...(image ? [fact('image', image.reference)] : []),
    ...(step.repair ? [fact('repaired', repairText(step.repair))] : []),
    ...step.attempts.flatMap(attemptRows),
    ...(step.checkpoints ?? []).map(checkpointRow),
    ...step.metrics.map(({ name, value }) => fact('metric', `${plainLine(name)}=${formatNumber(value)}`)),
    ...(step.failure ? failureRows(step.failure) : []),
    ...jsonRows('input', step.input),
    ...jsonRows('output', step.output),
  ];
}

const repairs = {
  retry: 'tried again',
  supply: 'supplied by hand',
  skip: 'left out',
  abort: 'ended',
} as const;

const repairText = ({ do: action, by, at, reason }: NonNullable<StepView['repair']>): string =>
  `${repairs[action]} by ${by}, ${formatTime(at)}${reason === undefined ? '' : `: ${plainLine(reason)}`}`;

function attemptRows({ attempt, status, ...about }: StepView['attempts'][number]): readonly Row[] {
  const { executor, worker, image, startedAt, closedAt, exitCode, cpuSeconds, peakMemoryBytes } = about;
  const words = [
    status,
    `${executor} on ${worker}`,
    ...(closedAt === undefined ? [] : [formatDuration(Date.parse(closedAt) - Date.parse(startedAt))]),
    ...(exitCode === undefined ? [] : [`exit ${exitCode}`]),
    ...(cpuSeconds === undefined ? [] : [`cpu ${formatNumber(cpuSeconds)} s`]),
    ...(peakMemoryBytes === undefined ? [] : [`memory ${formatBytes(peakMemoryBytes)}`]),
    ...(image === undefined ? [] : [image]),
  ];
  return [fact(`attempt ${attempt}`, words.join(', '))];
}

const checkpointRow = ({ attempt, sequence, size, at }: NonNullable<StepView['checkpoints']>[number]): Row =>
  fact('checkpoint', `${sequence} of attempt ${attempt}, ${formatBytes(size)}, stored ${formatTime(at)}`);

function failureRows(failure: NonNullable<StepView['failure']>): readonly Row[] {
  const { code, message, hint } = failureReport({ ...failure, run: undefined, step: undefined });
  return [
    [],
    [{ text: `  ${code}: ${plainLine(message)}`, style: 'red' }],
    ...(hint === undefined ? [] : [[{ text: `  → ${plainLine(hint)}`, style: 'cyan' as const }]]),
  ];
}

const jsonRows = (name: string, value: unknown): readonly Row[] =>
  value === undefined
    ? []
    : [
        [],
        [{ text: `  ${name}`, style: 'dim' }],
        ...resultText(value).split('\n').map((line): Row => [{ text: `  ${plainText(line)}` }]),
      ]; // prettier-ignore

const fact = (name: string, value: string): Row => [
  { text: `  ${name.padEnd(14)}`, style: 'dim' },
  { text: value },
];
