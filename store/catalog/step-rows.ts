import type { Insertable, Selectable } from 'kysely';
import type { ProjectedRows, StepRecord } from '../catalog.js';
import { excluded, fromJson, orAbsent, parts, present, toJson } from './columns.js';
import type { Told } from './lifecycle-rows.js';
import { stepTold } from './lifecycle-rows.js';
import type { KnownStep } from './merge-step.js';
import { mergeStep } from './merge-step.js';
import type { Notice } from './notice-rows.js';
import { parkedNotice } from './notice-rows.js';
import type { CatalogDb, CatalogTables } from './tables.js';

type StepTable = CatalogTables['steps'];
type Place = { readonly run: string; readonly path: string };

export type MergedSteps = {
  /** What is to be told of them. */
  readonly told: readonly Told[];
  readonly notices: readonly Notice[];
  /** As they are kept now, each once. */
  readonly records: readonly StepRecord[];
};

/** Merges step rows into the catalog, inside a transaction and before the attempts of the same call. */
export async function upsertSteps(
  trx: CatalogDb,
  { steps = [], attempts = [] }: Pick<ProjectedRows, 'steps' | 'attempts'>,
): Promise<MergedSteps> {
  const told: Told[] = [];
  const notices: Notice[] = [];
  const records = new Map<string, StepRecord>();
  const speaking = highest(attempts);
  for (const part of parts(steps)) {
    const known = highest(await highestAttempts(trx, part));
    const merged = await storedSteps(trx, part);
    const closed = await closedRuns(trx, part);
    const fenced = await fencedSteps(trx, part, speaking);
    for (const step of part) {
      const key = keyOf(step);
      const context = {
        known: known.get(key) ?? 0,
        speaking: speaking.get(key) ?? 0,
        fenced: fenced.has(key),
        runClosed: closed.has(step.run),
      };
      const before = merged.get(key);
      const after = mergeStep(before, step, context);
      merged.set(key, after);
      records.set(key, after.record);
      told.push(...stepTold(before, after));
      notices.push(...parkedNotice(before, after));
    }
    await writeSteps(trx, [...merged.values()]);
  }
  return { told, notices, records: [...records.values()] };
}

/** Steps of a run as they were scheduled; those of one instant by path, `train#2` before `train#10`. */
export async function stepsOf(db: CatalogDb, run: string): Promise<readonly StepRecord[]> {
  const rows = await db.selectFrom('steps').selectAll().where('run', '=', run).execute();
  return rows
    .map(toStep)
    .sort((a, b) => compareText(a.scheduledAt, b.scheduledAt) || byPath.compare(a.path, b.path));
}

const byPath = new Intl.Collator('en', { numeric: true });
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const keyOf = ({ run, path }: Place): string => JSON.stringify([run, path]);
const runsOf = (places: readonly Place[]): readonly string[] => [...new Set(places.map(({ run }) => run))];
const pathsOf = (places: readonly Place[]): readonly string[] => [...new Set(places.map(({ path }) => path))];

function highest(attempts: readonly (Place & { readonly attempt: number })[]): Map<string, number> {
  const byKey = new Map<string, number>();
  for (const each of attempts) byKey.set(keyOf(each), Math.max(byKey.get(keyOf(each)) ?? 0, each.attempt));
  return byKey;
}

const highestAttempts = (trx: CatalogDb, places: readonly Place[]) =>
  trx
    .selectFrom('attempts')
    .select(({ fn }) => ['run', 'path', fn.max('attempt').as('attempt')])
    .where('run', 'in', runsOf(places))
    .where('path', 'in', pathsOf(places))
    .groupBy(['run', 'path'])
    .execute();

async function storedSteps(trx: CatalogDb, places: readonly Place[]): Promise<Map<string, KnownStep>> {
  const wanted = new Set(places.map(keyOf));
  const rows = await trx
    .selectFrom('steps')
    .selectAll()
    .where('run', 'in', runsOf(places))
    .where('path', 'in', pathsOf(places))
    .execute();
  return new Map(
    rows
      .filter((row) => wanted.has(keyOf(row)))
      .map((row) => [keyOf(row), { record: toStep(row), attempt: row.attempt }]),
  );
}

/** Steps of which the attempt that is spoken for was given up. */
async function fencedSteps(
  trx: CatalogDb,
  places: readonly Place[],
  speaking: ReadonlyMap<string, number>,
): Promise<ReadonlySet<string>> {
  const lost = await trx
    .selectFrom('attempts')
    .select(['run', 'path', 'attempt'])
    .where('run', 'in', runsOf(places))
    .where('path', 'in', pathsOf(places))
    .where('status', '=', 'lost')
    .execute();
  return new Set(lost.filter((each) => speaking.get(keyOf(each)) === each.attempt).map(keyOf));
}

async function closedRuns(trx: CatalogDb, places: readonly Place[]): Promise<ReadonlySet<string>> {
  const rows = await trx
    .selectFrom('runs')
    .select('id')
    .where('id', 'in', runsOf(places))
    .where('status', '<>', 'running')
    .execute();
  return new Set(rows.map(({ id }) => id));
}

async function writeSteps(trx: CatalogDb, steps: readonly KnownStep[]): Promise<void> {
  await trx
    .insertInto('steps')
    .values(steps.map(toRow))
    .onConflict((conflict) => conflict.columns(['run', 'path']).doUpdateSet(excluded(changing)))
    .execute();
}

const changing = [
  'name',
  'kind',
  'status',
  'attempt',
  'detail',
  'progress',
  'input',
  'output',
  'failure',
  'scheduled_at',
  'closed_at',
  'cached',
  'repair',
  'reused',
] as const;

const toRow = ({ record, attempt }: KnownStep): Insertable<StepTable> => ({
  run: record.run,
  path: record.path,
  name: record.name,
  kind: record.kind,
  status: record.status,
  attempt,
  detail: record.detail ?? null,
  progress: record.progress ?? null,
  input: toJson(record.input),
  output: toJson(record.output),
  failure: toJson(record.failure),
  scheduled_at: record.scheduledAt,
  closed_at: record.closedAt ?? null,
  cached: toJson(record.cached),
  repair: toJson(record.repair),
  reused: toJson(record.reused),
});

const toStep = (row: Selectable<StepTable>): StepRecord =>
  present<StepRecord>({
    run: row.run,
    path: row.path,
    name: row.name,
    kind: row.kind,
    status: row.status,
    detail: orAbsent(row.detail),
    progress: orAbsent(row.progress),
    input: fromJson<unknown>(row.input),
    output: fromJson<unknown>(row.output),
    failure: fromJson(row.failure),
    scheduledAt: row.scheduled_at,
    closedAt: orAbsent(row.closed_at),
    cached: fromJson(row.cached),
    repair: fromJson(row.repair),
    reused: fromJson(row.reused),
  });
