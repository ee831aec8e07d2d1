import type { RunView } from '../../client/views.js';
import { newestAttempt, stepDurationMs } from '../render/step-facts.js';
import type { Places } from './places.js';
import type { RunTimes } from './run-times.js';
import { runTimes } from './run-times.js';

/** The demo's answer with --json. */
export type DemoSummary = {
  readonly run: string;
  readonly status: string;
  readonly steps: readonly {
    readonly path: string;
    readonly status: string;
    readonly attempt: number;
    readonly executor: string | null;
    /** Null for a process. */
    readonly image: string | null;
    readonly durationMs: number;
  }[];
  readonly gates: readonly { readonly path: string; readonly outcome: string }[];
  readonly decision: { readonly gate: string; readonly status: string; readonly by: string | null } | null;
  readonly model: { readonly name: string; readonly version: number; readonly alias: string | null } | null;
  /** The gates' numbers, and those the run returned. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly warning: string | null;
  readonly error: RunView['run']['failure'] | null;
  readonly times: RunTimes;
  readonly places: Places;
};

/** @param options.since when its time begins to count, ms */
export function demoSummary(
  view: RunView,
  { places, since }: { readonly places: Places; readonly since: number },
): DemoSummary {
  const { run, steps, gates } = view;
  const now = Date.parse(view.at);
  const approval = view.approvals.at(-1);
  return {
    run: run.id,
    status: run.status,
    steps: steps
      .filter(({ kind }) => kind === 'step')
      .map((step) => {
        const attempt = newestAttempt(step);
        return {
          path: step.path,
          status: step.status,
          attempt: attempt?.attempt ?? 0,
          executor: attempt?.executor ?? null,
          image: attempt?.image ?? null,
          durationMs: stepDurationMs(step, now),
        };
      }),
    gates: gates.map(({ path, outcome }) => ({ path, outcome: outcome.outcome })),
    decision: approval
      ? { gate: approval.gate, status: approval.status, by: approval.decision?.by ?? null }
      : null,
    model: modelOf(view),
    metrics: metricsOf(view),
    warning: run.plan?.warning ?? null,
    error: run.failure ?? null,
    times: runTimes(view, since),
    places,
  };
}

function modelOf({ versions, steps }: RunView): DemoSummary['model'] {
  const version = versions.at(-1);
  if (!version) return null;
  const promoted = steps.find(({ kind, status }) => kind === 'promote' && status === 'completed');
  const { alias } = (promoted?.output ?? {}) as { readonly alias?: string };
  return { name: version.name, version: version.version, alias: alias ?? null };
}

function metricsOf({ gates, run }: RunView): Readonly<Record<string, number>> {
  const judged = gates.flatMap(({ outcome }) =>
    Object.entries(outcome.checks).map(([name, { value }]) => [name, value] as const),
  );
  const { metrics = {} } = (run.output ?? {}) as { readonly metrics?: Readonly<Record<string, number>> };
  return { ...Object.fromEntries(judged), ...metrics };
}
