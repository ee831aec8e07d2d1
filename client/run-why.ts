import type {
  ApprovalRecord,
  AttemptRecord,
  Catalog,
  GateRecord,
  RunRecord,
  StepRecord,
} from '../store/catalog.js';
import type { CacheUse } from '../store/cache-index.js';
import type { TimelineEntry } from '../store/timeline.js';
import { formatBytes } from '../sdk/bytes.js';
import { UnknownRun } from '../sdk/errors.js';
import { unknownStep } from './unknown-step.js';

/** Something that happened to a run or one of its steps, with its cause. */
export type WhyEntry = Pick<TimelineEntry, 'path' | 'at' | 'attempt' | 'kind' | 'text' | 'data'>;

/** What a run's timeline is made of. */
export type WhyParts = {
  readonly run: RunRecord;
  readonly steps: readonly StepRecord[];
  readonly attempts: readonly AttemptRecord[];
  readonly decided: readonly TimelineEntry[];
  readonly uses: readonly CacheUse[];
  readonly gates: readonly GateRecord[];
  readonly approvals: readonly ApprovalRecord[];
};

export type WhyOptions = {
  /** Path of one step, of a child run's as `score/train`. */
  readonly step: string | undefined;
  readonly catalog: Catalog;
};

/**
 * Each decision about a run and its child runs, or about one of their steps, in one timeline, oldest first. What is about a child run
 * as a whole stands at the step that called it.
 * @throws UnknownRun; UnknownStep with the nearest path
 */
export async function runWhy(id: string, { step, catalog }: WhyOptions): Promise<readonly WhyEntry[]> {
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  const entries = inOrder(await entriesOfTree(run, { step, catalog }));
  if (step !== undefined && !entries.some(({ path }) => path === step)) {
    const all = await entriesOfTree(run, { step: undefined, catalog });
    const known = new Set(all.map(({ path }) => path).filter((path) => path !== ''));
    throw unknownStep({ run: id, path: step, known: [...known] });
  }
  return entries;
}

/** Of the run and of those below it, as far as they are about the step. @param place of a child run: the path of the step that called it */
async function entriesOfTree(
  run: RunRecord,
  { step, catalog }: WhyOptions,
  place = '',
): Promise<readonly WhyEntry[]> {
  const shown = (path: string) => (path === '' ? place : place === '' ? path : `${place}/${path}`);
  const wanted = (path: string) => step === undefined || isAbout(step, shown(path));
  const own = (await entriesOf(run, wanted, catalog))
    .filter(({ path }) => wanted(path))
    .map((each) => ({ ...each, path: shown(each.path) }));
  const children = (await catalog.runs({ parent: run.id, limit: 1_000 })).flatMap((child) =>
    child.parent && wanted(child.parent.path) ? [{ child, at: shown(child.parent.path) }] : [],
  );
  const below = await Promise.all(
    children.map(({ child, at }) => entriesOfTree(child, { step, catalog }, at)),
  );
  return [...own, ...below.flat()];
}

/** Of a step is what happened to it, to the runs it is in, and below it where it is a child run. */
const isAbout = (step: string, path: string): boolean =>
  path === '' || path === step || step.startsWith(`${path}/`) || path.startsWith(`${step}/`);

async function entriesOf(
  run: RunRecord,
  wanted: (path: string) => boolean,
  catalog: Catalog,
): Promise<readonly WhyEntry[]> {
  const { id } = run;
  const [steps, attempts, decided, gates, approvals] = await Promise.all([
    catalog.steps(id),
    catalog.attempts(id),
    catalog.timeline(id),
    catalog.gates(id),
    catalog.approvals({ run: id }),
  ]);
  const asked = steps.filter(({ path, kind }) => kind === 'step' && wanted(path));
  const uses = await Promise.all(asked.map(({ path }) => catalog.cache.use({ run: id, path })));
  return timeline({
    run,
    steps,
    attempts,
    decided,
    gates,
    approvals,
    uses: uses.filter((use) => use !== undefined),
  });
}

const inOrder = (entries: readonly WhyEntry[]): readonly WhyEntry[] =>
  entries.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));

/** The timeline of a run's records. */
export function timeline({
  run,
  steps,
  attempts,
  decided,
  uses,
  gates,
  approvals,
}: WhyParts): readonly WhyEntry[] {
  const entries: WhyEntry[] = [
    {
      path: '',
      at: run.startedAt,
      attempt: 0,
      kind: 'started',
      text: `run of ${run.pipeline} on build ${firstBuild(run, decided)}`,
    },
    ...steps.map(({ path, scheduledAt }) => entry(path, scheduledAt, 'called', 'called by the pipeline')),
    ...attempts.flatMap((row) => attemptEntries(row, firstWorker(row, decided))),
    ...decided,
    ...uses.map(({ path, at, outcome, from, reason }) =>
      entry(
        path,
        at,
        'cache',
        outcome === 'computed'
          ? `not from the cache: ${reason ?? 'no entry'}`
          : `cache ${outcome === 'hit' ? 'hit' : 'joined'}: same content key as ${from?.run} ${from?.path}`,
      ),
    ),
    ...gates.map(({ path, at, outcome }) =>
      entry(path, at, 'judged', `gate ${outcome.gate}: ${outcome.outcome}`),
    ),
    ...approvals.flatMap(approvalEntries),
    ...steps.flatMap(endOf),
    ...(run.closedAt === undefined
      ? []
      : [entry('', run.closedAt, 'ended', `${run.status}${run.failure ? `: ${run.failure.what}` : ''}`)]),
  ];
  return inOrder(entries.map((each) => notBefore(run.startedAt, each)));
}

/** Clocks of several machines wrote them, each a little off: nothing of a run came before its start. */
const notBefore = (start: string, each: WhyEntry): WhyEntry =>
  each.at < start ? { ...each, at: start } : each;

/** It may have been moved to another since. */
function firstBuild({ build }: RunRecord, decided: readonly TimelineEntry[]): string {
  const from = decided.find(({ kind }) => kind === 'moved')?.data?.['from'];
  return typeof from === 'string' ? from : build;
}

const entry = (path: string, at: string, kind: string, text: string, attempt = 0): WhyEntry => ({
  path,
  at,
  attempt,
  kind,
  text,
});

/** Its row names the worker that had it last. */
function firstWorker({ path, attempt, worker }: AttemptRecord, decided: readonly TimelineEntry[]): string {
  const adopted = decided.find(
    (each) => each.kind === 'adopted' && each.path === path && each.attempt === attempt,
  );
  const from = adopted?.data?.['from'];
  return typeof from === 'string' ? from : worker;
}

function attemptEntries(row: AttemptRecord, worker: string): readonly WhyEntry[] {
  const { path, attempt, executor, startedAt, closedAt, status } = row;
  const where =
    executor === 'docker' ? 'in a container' : executor === 'process' ? 'as a process' : 'in the worker';
  const memory = row.resources ? ` with ${formatBytes(row.resources.memory)}` : '';
  const started = entry(
    path,
    startedAt,
    'attempt',
    `attempt ${attempt} started ${where} on ${worker}${memory}`,
    attempt,
  );
  if (closedAt === undefined) return [started];
  return [started, entry(path, closedAt, status, `attempt ${attempt} ${status}${endFacts(row)}`, attempt)];
}

function endFacts({ failure, exitCode, peakMemoryBytes, resources }: AttemptRecord): string {
  const facts = [
    failure && `${failure.code}: ${failure.what}`,
    exitCode !== undefined && exitCode !== 0 && `exit code ${exitCode}`,
    peakMemoryBytes !== undefined &&
      `at most ${formatBytes(peakMemoryBytes)}${resources ? ` of ${formatBytes(resources.memory)}` : ''} used`,
  ].filter((fact) => typeof fact === 'string');
  return facts.length > 0 ? ` (${facts.join('; ')})` : '';
}

function approvalEntries({ path, openedAt, status, decision }: ApprovalRecord): readonly WhyEntry[] {
  const opened = entry(path, openedAt, 'waiting', 'waits for a decision');
  if (!decision) return [opened];
  const { by, at, reason } = decision;
  return [opened, entry(path, at, status, `${status} by ${by}${reason === undefined ? '' : `: ${reason}`}`)];
}

/** Of a step whose end its attempts do not tell. */
function endOf({ path, kind, status, closedAt, cached }: StepRecord): readonly WhyEntry[] {
  if (closedAt === undefined || cached || (kind === 'step' && status === 'completed')) return [];
  return [entry(path, closedAt, status, status)];
}
