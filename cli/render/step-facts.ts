import type { StepView } from '../../client/views.js';
import type { AttemptRecord } from '../../store/catalog.js';

export const newestAttempt = (step: StepView): AttemptRecord | undefined => step.attempts[0];

/** Time of the newest attempt, ms; of what has no attempts (gates, approvals, what waits) since it was scheduled. */
export function stepDurationMs(step: StepView, now: number): number {
  const attempt = newestAttempt(step);
  const from = attempt?.startedAt ?? step.scheduledAt;
  const to = attempt?.closedAt ?? step.closedAt;
  return Math.max(0, (to === undefined ? now : Date.parse(to)) - Date.parse(from));
}

/** `quality gate`, `release approval`; all else is called by its path alone. */
export const stepLabel = ({ kind, path }: StepView): string =>
  kind === 'gate' || kind === 'approval' ? `${path} ${kind}` : path;
