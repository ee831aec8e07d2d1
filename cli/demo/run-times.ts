import type { RunView } from '../../client/views.js';

/** Where a run's time went, ms. */
export type RunTimes = {
  readonly totalMs: number;
  /** At least one step's attempt was under way. */
  readonly stepsMs: number;
  /** An approval waited for a person. */
  readonly decisionMs: number;
  /** The rest: Millrace's own. */
  readonly ownMs: number;
};

type Span = readonly [from: number, to: number];

/** @param from when counting begins, ms: the command's own start, or that of the run */
export function runTimes(view: RunView, from: number): RunTimes {
  const to = Date.parse(view.run.closedAt ?? view.at);
  const begin = Math.round(from);
  const clip = ([start, end]: Span): Span => [Math.max(start, begin), Math.min(end, to)];
  const span = (start: string, end: string | undefined): Span =>
    clip([Date.parse(start), end === undefined ? to : Date.parse(end)]);
  const steps = view.steps.flatMap(({ attempts }) =>
    attempts.map(({ startedAt, closedAt }) => span(startedAt, closedAt)),
  );
  const decisions = view.steps
    .filter(({ kind }) => kind === 'approval')
    .map(({ scheduledAt, closedAt }) => span(scheduledAt, closedAt));
  const totalMs = to - begin;
  const covered = union([...steps, ...decisions]);
  return { totalMs, stepsMs: union(steps), decisionMs: union(decisions), ownMs: totalMs - covered };
}

/** Length of what the spans cover together. */
function union(spans: readonly Span[]): number {
  let covered = 0;
  let reached = -Infinity;
  for (const [from, to] of [...spans].sort(([a], [b]) => a - b)) {
    covered += Math.max(0, to - Math.max(from, reached));
    reached = Math.max(reached, to);
  }
  return covered;
}
