import type { RunView, StepView } from '../../client/views.js';
import { describeCheck } from '../../sdk/gate.js';
import type { CheckOutcome, GateOutcome } from '../../sdk/gate.js';
import { formatNumber } from './format.js';
import { newestAttempt } from './step-facts.js';
import type { Segment, Style } from './styled-row.js';
import { plainLine } from './text-width.js';

/** What is worth saying of a step behind its name and time: attempt, last metric, what it waits for, why it failed. */
export function stepTail(
  step: StepView,
  view: RunView,
  /** `code` where the whole failure stands elsewhere. Default `text`. */
  failure: 'text' | 'code' = 'text',
): readonly Segment[] {
  const attempt = newestAttempt(step)?.attempt ?? 1;
  return [
    ...(attempt > 1 ? [{ text: `attempt ${attempt}`, style: 'yellow' as const }] : []),
    ...metricTail(step),
    ...progressTail(step),
    // Its logs and decisions go by an id of its own.
    ...(step.child ? [{ text: step.child.run.id, style: 'dim' as const }] : []),
    ...(failure === 'code' && step.failure
      ? [{ text: step.failure.code, style: 'red' as const }]
      : stateTail(step, view)),
  ];
}

/** The same as words, for lines of a log. */
export const tailText = (tail: readonly Segment[]): string => tail.map(({ text }) => text).join(' ');

function metricTail({ metrics }: StepView): readonly Segment[] {
  const last = metrics[0];
  return last ? [{ text: `${plainLine(last.name)}=${formatNumber(last.value)}` }] : [];
}

const progressTail = ({ status, progress }: StepView): readonly Segment[] =>
  status === 'running' && progress !== undefined
    ? [{ text: `${Math.floor(progress * 100)}%`, style: 'cyan' }]
    : [];

function stateTail(step: StepView, view: RunView): readonly Segment[] {
  const detail = step.detail === undefined ? '' : plainLine(step.detail);
  switch (step.status) {
    case 'queued':
      return [{ text: detail ? `queued: ${detail}` : 'queued', style: 'dim' }];
    case 'retrying':
      return [{ text: detail ? `retrying: ${detail}` : 'retrying', style: 'yellow' }];
    case 'parked':
      return [
        { text: `parked: ${failureText(step, detail)}`, style: 'yellow' },
        { text: `millrace repair ${view.run.id} ${step.path}`, style: 'bold' },
      ];
    case 'waiting':
      return [
        { text: 'waiting for a decision', style: 'yellow' },
        { text: `millrace approve ${view.run.id} ${gateOf(step, view)}`, style: 'bold' },
      ];
    case 'failed':
      return [{ text: failureText(step, detail), style: 'red' }];
    case 'cancelled':
    case 'lost':
      return [{ text: step.status, style: 'yellow' }];
    case 'running':
      return detail ? [{ text: detail, style: 'dim' }] : [];
    case 'completed':
      return closedTail(step, view, detail);
  }
}

const gateOf = ({ path }: StepView, { approvals }: RunView): string =>
  approvals.find((approval) => approval.path === path)?.gate ?? path;

const failureText = ({ failure }: StepView, detail: string): string =>
  failure ? `${failure.code}: ${plainLine(failure.what)}` : detail || 'failed';

function closedTail(step: StepView, view: RunView, detail: string): readonly Segment[] {
  const gate = view.gates.find(({ path }) => step.kind === 'gate' && path === step.path);
  if (gate) return gateTail(gate.outcome);
  const decision = view.approvals.find(
    ({ path }) => step.kind === 'approval' && path === step.path,
  )?.decision;
  if (decision) {
    const reason = decision.reason === undefined ? '' : `: ${plainLine(decision.reason)}`;
    return [{ text: `${decision.decision} by ${plainLine(decision.by)}${reason}`, style: 'dim' }];
  }
  if (step.reused) return [{ text: reusedText(step, detail), style: 'dim' }];
  if (step.cached) return [{ text: `cached, from ${step.cached.run} ${step.cached.path}`, style: 'dim' }];
  // A finished step's last words about its progress say no more than that it is finished.
  if (!detail || step.kind === 'step') return [];
  return [{ text: [modelName(step), detail].filter(Boolean).join(' '), style: 'dim' }];
}

/** What it was, and whose: `approved, from run-1 release`. */
function reusedText(step: StepView, detail: string): string {
  const { run, path } = step.reused ?? { run: '', path: '' };
  const said = step.kind === 'step' ? '' : [modelName(step), detail].filter(Boolean).join(' ');
  return [...(said === '' ? [] : [said]), `reused, from ${run} ${path}`].join(', ');
}

/** Whose version it is that was registered or promoted. */
function modelName({ kind, output }: StepView): string {
  const { name } = (output ?? {}) as { readonly name?: unknown };
  return (kind === 'register' || kind === 'promote') && typeof name === 'string' ? name : '';
}

const gateTail = ({ outcome, checks }: GateOutcome): readonly Segment[] => [
  { text: outcome, style: outcomeStyles[outcome] },
  {
    text: Object.entries(checks)
      .map(([name, check]) => describeCheck(name, check))
      .join(', '),
    style: 'dim',
  },
];

export const outcomeStyles: Readonly<Record<CheckOutcome, Style>> = {
  pass: 'green',
  warn: 'yellow',
  fail: 'red',
};
