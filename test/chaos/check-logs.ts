import { expectedLines, failsByDesign } from './expected.js';
import type { Finding } from './finding.js';
import type { PlannedRun } from './plan.js';
import type { AttemptFacts, ContainerFacts, RunFacts, Span, World } from './world.js';

/** A container that ran so long, as seen from outside, has printed its first line. */
const saysSomethingMs = 2_000;

/** What of an attempt's output is missing, doubled or strange, and logs that show a secret. */
export function checkLogs(
  planned: PlannedRun,
  { id, steps }: RunFacts,
  { containers, outages, secret }: Pick<World, 'containers' | 'outages' | 'secret'>,
): readonly Finding[] {
  const attempts = steps.flatMap(({ path, attempts }) => attempts.map((each) => ({ path, ...each })));
  const recorded = new Set(attempts.map(({ path, attempt }) => `${path} ${attempt}`));
  const unrecorded = containers
    .filter(({ run, step, attempt }) => run === id && !recorded.has(`${step} ${attempt}`))
    .map(({ step, attempt }): Finding => ({ kind: 'lost log', text: `${id}: the container of ${step} attempt ${attempt} is in no record` })); // prettier-ignore
  return [
    ...unrecorded,
    ...attempts.flatMap((attempt): readonly Finding[] => {
      const place = `${id}: ${attempt.path} attempt ${attempt.attempt} (${attempt.status})`;
      const own = containers.filter(({ run, step, attempt: number }) => run === id && step === attempt.path && number === attempt.attempt); // prettier-ignore
      const ranMs = own.reduce((most, { from, until }) => Math.max(most, until - from), 0);
      const problem = problemOf(attempt, planned, { ranMs, unheard: endedUnheard(attempt, own, outages) });
      const shown = attempt.lines.find((line) => line.includes(secret));
      return [
        ...(problem === undefined ? [] : [{ kind: 'lost log', text: `${place}: ${problem}` } as const]),
        ...(shown === undefined ? [] : [{ kind: 'secret shown', text: `${place}: ${shown}` } as const]),
      ];
    }),
  ];
}

/**
 * Whether its container ended while the engine was away: what one prints then no engine of Docker keeps, with live-restore neither
 * (tried with 20.10).
 */
const endedUnheard = (
  { time }: AttemptFacts,
  containers: readonly ContainerFacts[],
  outages: readonly Span[],
): boolean =>
  outages.some(
    ({ from, until }) =>
      time.from < until && time.until > from && !containers.some((seen) => seen.until > until),
  );

function problemOf(
  { path, attempt, status, end, lines }: AttemptFacts & { readonly path: string },
  { input }: PlannedRun,
  { ranMs, unheard }: { readonly ranMs: number; readonly unheard: boolean },
): string | undefined {
  const [first] = lines;
  if (first === undefined) {
    if (status === 'completed' && !unheard) return 'its log is empty';
    return ranMs >= saysSomethingMs && !unheard
      ? `its log is empty though it ran for ${ranMs} ms`
      : undefined;
  }
  const from = Number(/^begin at (\d+)$/.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(from)) return `its log begins with ${JSON.stringify(first)}`;
  const expected = expectedLines({ step: path, attempt, from }, input);
  const strange = lines.findIndex((line, index) => line !== expected[index]);
  if (strange >= 0) {
    const instead = expected[strange] === undefined ? 'nothing' : JSON.stringify(expected[strange]);
    return `line ${strange + 1} is ${JSON.stringify(lines[strange])}, expected ${instead}`;
  }
  if (lines.length === expected.length) return undefined;
  // One that was ended from outside may have said any part of it.
  const byItself = status === 'completed' || (end === 'by design' && failsByDesign(path, attempt, input));
  if (!byItself || unheard) return undefined;
  return `its log ends after ${lines.length} of ${expected.length} lines`;
}
