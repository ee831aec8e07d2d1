import { isClosed, isStepClosed } from '../../sdk/states.js';
import { checkLogs } from './check-logs.js';
import { containerSteps, expectedRun } from './expected.js';
import type { Finding } from './finding.js';
import type { PlannedRun } from './plan.js';
import type { RunFacts, World } from './world.js';

/** Everything that is not as it must be after any number of faults; nothing where all is well. */
export function checkWorld(world: World): readonly Finding[] {
  const facts = new Map(world.runs.map((run) => [run.id, run]));
  return [
    ...world.planned.flatMap((planned) => checkRun(planned, facts.get(planned.id), world)),
    ...checkVersions(world),
    ...checkContainers(world),
    ...world.leftovers.map((text): Finding => ({ kind: 'orphan', text: `${text} is still there` })),
  ];
}

function checkRun(planned: PlannedRun, run: RunFacts | undefined, world: World): readonly Finding[] {
  if (!run) return [{ kind: 'incomplete', text: `${planned.id} is nowhere` }];
  return [
    ...checkResult(planned, run, world),
    ...checkStates(run),
    ...checkSteps(planned, run),
    ...checkLogs(planned, run, world),
  ];
}

function checkResult({ id, input }: PlannedRun, run: RunFacts, world: World): readonly Finding[] {
  if (run.catalog !== 'completed' || run.temporal !== 'completed') {
    const said = `catalog ${run.catalog ?? 'nothing'}, Temporal ${run.temporal ?? 'nothing'}`;
    return [{ kind: 'incomplete', text: `${id}: ${said}${run.failure ? `: ${run.failure}` : ''}` }];
  }
  const { total, model } = expectedRun(input);
  const own = world.versions.find((version) => version.run === id);
  const expected = { number: input.number, total, version: own?.version };
  return [
    ...unequal(run.output, expected, `${id}: result`),
    ...(own ? unequal(own.model, model, `${id}: model of version ${own.version}`) : []),
  ];
}

function unequal(got: unknown, expected: unknown, what: string): readonly Finding[] {
  const [is, should] = [sorted(got), sorted(expected)];
  return is === should ? [] : [{ kind: 'wrong result', text: `${what} is ${is}, not ${should}` }];
}

const sorted = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => a.localeCompare(b))))
    : JSON.stringify(value);

function checkStates({ id, catalog, temporal, steps, activities }: RunFacts): readonly Finding[] {
  const untrue = (text: string): Finding => ({ kind: 'untrue state', text: `${id}: ${text}` });
  const open = steps.filter(({ status }) => !isStepClosed(status));
  const running = steps.flatMap(({ path, attempts }) =>
    attempts.filter(({ status }) => status === 'running').map(({ attempt }) => `${path} attempt ${attempt}`),
  );
  const completed = steps.filter(({ kind, status }) => kind === 'step' && status === 'completed');
  const known = new Set(completed.map(({ path }) => path));
  const told = new Set(activities);
  const closed = catalog !== undefined && isClosed(catalog);
  return [
    ...(catalog === temporal ? [] : [untrue(`the catalog says ${catalog}, Temporal says ${temporal}`)]),
    ...(closed ? open.map(({ path, status }) => untrue(`${path} is ${status} though the run is over`)) : []),
    ...(closed ? running.map((attempt) => untrue(`${attempt} is running though the run is over`)) : []),
    ...[...told].filter((path) => !known.has(path)).map((path) => untrue(`${path} completed, says only Temporal`)),
    ...[...known].filter((path) => !told.has(path)).map((path) => untrue(`${path} completed, says only the catalog`)),
  ]; // prettier-ignore
}

function checkSteps({ id, input }: PlannedRun, { catalog, steps }: RunFacts): readonly Finding[] {
  if (catalog !== 'completed') return [];
  const of = (path: string) => steps.filter((step) => step.path === path);
  const commits = (path: string) =>
    of(path).flatMap(({ attempts }) => attempts.filter(({ status }) => status === 'completed')).length;
  return containerSteps(input).flatMap((path): readonly Finding[] => {
    const count = commits(path);
    if (count > 1) return [{ kind: 'doubled', text: `${id}: ${path} has ${count} completed attempts` }];
    if (count === 1) return [];
    return [{ kind: 'untrue state', text: `${id}: ${path} has no completed attempt` }];
  });
}

/** Numbers without gaps or doubles, a version a run, and one change of the alias for each promotion. */
function checkVersions({ runs, versions, changes }: World): readonly Finding[] {
  const doubled = (text: string): Finding => ({ kind: 'doubled', text });
  const numbers = versions.map(({ version }) => version).sort((a, b) => a - b);
  const completed = runs.filter(({ catalog }) => catalog === 'completed').map(({ id }) => id);
  const gaps = numbers.flatMap((number, index) =>
    number === index + 1 ? [] : [doubled(`version ${number} stands where ${index + 1} should`)],
  );
  const count = (all: readonly { readonly run: string }[], id: string) =>
    all.filter(({ run }) => run === id).length;
  return [
    ...gaps,
    ...completed.flatMap((id) => [
      ...(count(versions, id) === 1 ? [] : [doubled(`${id} registered ${count(versions, id)} versions`)]),
      ...(count(changes, id) === 1 ? [] : [doubled(`${id} moved the alias ${count(changes, id)} times`)]),
    ]),
    ...changes
      .filter(({ run, version }) => !versions.some((each) => each.run === run && each.version === version))
      .map(({ run, version }) => doubled(`${run} moved the alias to version ${version}, which is not its own`)),
    ...[...new Set([...versions, ...changes].map(({ run }) => run))]
      .filter((id) => !runs.some((run) => run.id === id))
      .map((id) => doubled(`${id}, which nobody started, left a version or an alias`)),
  ]; // prettier-ignore
}

/** An attempt is one container, and a step has one at a time, but for what a host that was given up ran when another went on. */
function checkContainers({ containers, absences }: World): readonly Finding[] {
  return containers.flatMap((one, index) =>
    containers.slice(index + 1).flatMap((other): readonly Finding[] => {
      if (one.run !== other.run || one.step !== other.step) return [];
      const place = `${one.run}: ${one.step}`;
      if (one.attempt === other.attempt)
        return [{ kind: 'doubled', text: `${place} had two containers for attempt ${one.attempt}` }];
      const together = Math.min(one.until, other.until) - Math.max(one.from, other.from);
      // Each look has a time of its own: both were there at one look.
      if (together < 0) return [];
      const [earlier, later] = one.attempt < other.attempt ? [one, other] : [other, one];
      if (earlier.host !== later.host && earlier.until <= sweptAt(earlier.host, later.from, absences))
        return [];
      const both = `attempts ${one.attempt} and ${other.attempt}`;
      return [{ kind: 'doubled', text: `${place} ran ${both} at once, for ${together} ms` }];
    }),
  );
}

/** When a host has removed what another went on for from that moment: its worker looks every 20 s, once it is there. */
function sweptAt(host: string, since: number, absences: World['absences']): number {
  const back = absences.filter((each) => each.host === host && each.from <= since).map(({ until }) => until);
  return Math.max(since, ...back) + sweptWithinMs;
}

const sweptWithinMs = 60_000;
