import type { RunView, StepView } from '../../client/views.js';
import { isClosed, isStepClosed } from '../../sdk/states.js';
import { formatClock, formatDuration } from './format.js';
import { newestAttempt, stepDurationMs, stepLabel } from './step-facts.js';
import { stepTail, tailText } from './step-tail.js';

/** What happened from one view of a run to the next, a line an event: `12:01:03 train#2 completed 3.2s auc=0.81`. Pure. */
export function runEvents(former: RunView | undefined, view: RunView): readonly string[] {
  const { run } = view;
  const now = Date.parse(view.at);
  const warning = run.plan?.warning;
  return [
    ...(former ? [] : [`${formatClock(run.startedAt)} ${run.id} started`]),
    ...(warning !== undefined && former?.run.plan?.warning !== warning
      ? [`${formatClock(view.at)} warning: ${warning}`]
      : []),
    ...stepEvents(former, view),
    ...pauseEvents(former, view),
    ...(isClosed(run.status) && former?.run.status !== run.status
      ? [
          `${formatClock(run.closedAt ?? view.at)} ${run.id} ${run.status.replace('_', ' ')} ${formatDuration(
            (run.closedAt === undefined ? now : Date.parse(run.closedAt)) - Date.parse(run.startedAt),
          )}`,
        ]
      : []),
  ];
}

function pauseEvents(former: RunView | undefined, { run, at }: RunView): readonly string[] {
  const before = former?.run.paused;
  const { paused, failure, status } = run;
  const cancelling = status === 'running' && failure?.code === 'RUN_CANCELLED';
  const known = former?.run.failure?.code === 'RUN_CANCELLED';
  if (cancelling && !known) return [`${formatClock(at)} ${run.id} is being cancelled: ${failure.what}`];
  if (paused && paused.at !== before?.at)
    return [`${formatClock(paused.at)} ${run.id} paused by ${paused.by}`];
  return before && !paused && status === 'running' ? [`${formatClock(at)} ${run.id} resumed`] : [];
}

function stepEvents(former: RunView | undefined, view: RunView): readonly string[] {
  const before = new Map(former?.steps.map((step) => [step.path, step]));
  return view.steps.flatMap((step) => {
    const known = before.get(step.path);
    return [
      ...(known && stateOf(known) === stateOf(step) ? [] : [stepEvent(step, view)]),
      ...(step.child ? stepEvents(known?.child, step.child) : []),
    ];
  });
}

/** A line is due when this changes. What a running step says of itself is not: it may say much. */
const stateOf = (step: StepView): string =>
  JSON.stringify([
    step.status,
    newestAttempt(step)?.attempt,
    step.status === 'queued' || step.status === 'retrying' ? step.detail : undefined,
  ]);

function stepEvent(step: StepView, view: RunView): string {
  const { parent } = view.run;
  // Where the state is named first, the tail need not name it again.
  const tail = tailText(stepTail(step, view).filter(({ text }) => text !== step.status));
  const closed = isStepClosed(step.status);
  return [
    formatClock(timeOf(step, view)),
    // A child run's steps are told apart by the path they hang under.
    parent ? `${parent.path}/${stepLabel(step)}` : stepLabel(step),
    // The tail of these begins with the word itself.
    ...(saysItself.has(step.status) && tail ? [] : [step.status]),
    ...(closed && step.kind !== 'gate' ? [formatDuration(stepDurationMs(step, Date.parse(view.at)))] : []),
    ...(tail ? [tail] : []),
  ].join(' ');
}

const saysItself: ReadonlySet<StepView['status']> = new Set(['queued', 'retrying', 'waiting']);

function timeOf(step: StepView, view: RunView): string {
  if (step.closedAt !== undefined) return step.closedAt;
  return step.status === 'running' ? (newestAttempt(step)?.startedAt ?? view.at) : view.at;
}
