import type { FailureInfo } from '../sdk/protocol/failure.js';
import type { Paused, RunPlan, RunState, StepPlace, StepState } from '../sdk/protocol/messages.js';
import type { RunStatus, StepKind, StepStatus } from '../sdk/states.js';

/** What can happen to a run, in the order the workflow sees it. `at` is ISO 8601, UTC. */
export type RunEvent =
  | { readonly type: 'planned'; readonly plan: RunPlan }
  | {
      readonly type: 'scheduled';
      readonly path: string;
      readonly name: string;
      readonly kind: StepKind;
      readonly at: string;
    }
  | {
      readonly type: 'closed';
      readonly path: string;
      readonly status: Extract<StepStatus, 'completed' | 'failed' | 'cancelled'>;
      readonly at: string;
      readonly failure?: FailureInfo;
      readonly cached?: StepPlace;
      readonly reused?: StepPlace;
    }
  | {
      readonly type: 'parked';
      readonly path: string;
      readonly failure: FailureInfo;
      readonly until?: string;
    }
  | { readonly type: 'repaired'; readonly path: string }
  /** A step whose cached result was lost has made it again, or taken it from another that had. */
  | { readonly type: 'remade'; readonly path: string; readonly cached?: StepPlace }
  | { readonly type: 'paused'; readonly paused: Paused | undefined }
  | {
      readonly type: 'ended';
      readonly status: Exclude<RunStatus, 'running'>;
      readonly failure?: FailureInfo;
    };

export const startedRun = (run: string, pipeline: string): RunState => ({
  run,
  pipeline,
  status: 'running',
  plan: undefined,
  steps: [],
});

/** The state after an event: pure, so that the catalog, the workflow and tests agree on it. */
export function reduceRun(state: RunState, event: RunEvent): RunState {
  switch (event.type) {
    case 'planned':
      return { ...state, plan: event.plan };
    case 'scheduled':
      return { ...state, steps: [...state.steps, scheduledStep(event)] };
    case 'closed':
      return withStep(state, event.path, (step) => closedStep(step, event));
    case 'parked': {
      const { failure, until } = event;
      return withStep(state, event.path, (step) => ({
        ...step,
        status: 'parked',
        failure,
        ...(until !== undefined && { until }),
      }));
    }
    case 'repaired':
      return withStep(state, event.path, ({ failure: _failure, until: _until, ...step }) => ({
        ...step,
        status: 'queued',
      }));
    case 'remade':
      return withStep(state, event.path, ({ cached: _cached, ...step }) => ({
        ...step,
        ...(event.cached && { cached: event.cached }),
      }));
    case 'paused': {
      const { paused: _paused, ...rest } = state;
      return { ...rest, ...(event.paused && { paused: event.paused }) };
    }
    case 'ended':
      return { ...state, status: event.status };
  }
}

const withStep = (state: RunState, path: string, change: (step: StepState) => StepState): RunState => ({
  ...state,
  steps: state.steps.map((step) => (step.path === path ? change(step) : step)),
});

const scheduledStep = ({ path, name, kind, at }: Extract<RunEvent, { type: 'scheduled' }>): StepState => ({
  path,
  name,
  kind,
  status: kind === 'approval' ? 'waiting' : 'queued',
  scheduledAt: at,
});

const closedStep = (
  step: StepState,
  { status, at, failure, cached, reused }: Extract<RunEvent, { type: 'closed' }>,
): StepState => ({
  ...step,
  status,
  closedAt: at,
  ...(failure && { failure }),
  ...(cached && { cached }),
  ...(reused && { reused }),
});
