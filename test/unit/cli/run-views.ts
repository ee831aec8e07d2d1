import type { RunView, StepView } from '../../../client/views.js';
import { aRun, aStep, anAttempt, at } from '../store/records.js';

/** Seconds after the run's start, as ms: what views are measured to. */
export const clock = (second: number): number => Date.parse(at(second));

export const aStepView = (fields: Partial<StepView> = {}): StepView => ({
  ...aStep(),
  attempts: [],
  metrics: [],
  ...fields,
});

/** A step that ran once, from one second to another; without an end it still runs. */
export function ranStep(path: string, from: number, to?: number, fields: Partial<StepView> = {}): StepView {
  const closed = to === undefined ? {} : { status: 'completed' as const, closedAt: at(to) };
  return aStepView({
    path,
    name: path,
    scheduledAt: at(from),
    status: 'running',
    attempts: [anAttempt({ path, startedAt: at(from), ...closed })],
    ...closed,
    ...fields,
  });
}

export const aView = (steps: readonly StepView[], fields: Partial<RunView> = {}): RunView => ({
  run: aRun({ plan: { executor: 'process', images: {} } }),
  steps,
  approvals: [],
  gates: [],
  versions: [],
  at: at(60),
  ...fields,
});
