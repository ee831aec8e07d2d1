import type { Insertable, Selectable } from 'kysely';
import type { AttemptRecord, MetricRecord } from '../catalog.js';
import { excluded, fromJson, lastByKey, orAbsent, parts, present, toJson } from './columns.js';
import { mergeAttempt } from './merge-step.js';
import type { CatalogDb, CatalogTables } from './tables.js';

type AttemptTable = CatalogTables['attempts'];
type MetricTable = CatalogTables['metrics'];

/** Merges attempt rows into the catalog, inside a transaction. */
export async function upsertAttempts(trx: CatalogDb, attempts: readonly AttemptRecord[]): Promise<void> {
  for (const part of parts(attempts)) {
    const wanted = new Set(part.map(keyOf));
    const rows = await trx
      .selectFrom('attempts')
      .selectAll()
      .where('run', 'in', [...new Set(part.map(({ run }) => run))])
      .where('path', 'in', [...new Set(part.map(({ path }) => path))])
      .execute();
    const merged = new Map(
      rows.map((row) => [keyOf(row), toAttempt(row)] as const).filter(([key]) => wanted.has(key)),
    );
    for (const attempt of part) {
      merged.set(keyOf(attempt), mergeAttempt(merged.get(keyOf(attempt)), attempt));
    }
    await trx
      .insertInto('attempts')
      .values([...merged.values()].map(toRow))
      .onConflict((conflict) => conflict.columns(['run', 'path', 'attempt']).doUpdateSet(excluded(changing)))
      .execute();
  }
}

/** Attempts of a run or of one of its steps, in order of their start. */
export async function attemptsOf(
  db: CatalogDb,
  run: string,
  path: string | undefined,
): Promise<readonly AttemptRecord[]> {
  let query = db.selectFrom('attempts').selectAll().where('run', '=', run);
  if (path !== undefined) query = query.where('path', '=', path);
  const rows = await query.orderBy('started_at').orderBy('path').orderBy('attempt').execute();
  return rows.map(toAttempt);
}

/** A point that comes again replaces itself. */
export async function upsertMetrics(trx: CatalogDb, metrics: readonly MetricRecord[]): Promise<void> {
  for (const part of parts(metrics)) {
    const rows = part.map(toMetricRow);
    await trx
      .insertInto('metrics')
      .values([...lastByKey(rows, (row) => JSON.stringify([keyOf(row), row.name, row.point]))])
      .onConflict((conflict) =>
        conflict
          .columns(['run', 'path', 'attempt', 'name', 'point'])
          .doUpdateSet(excluded(['value', 'index', 'at'])),
      )
      .execute();
  }
}

/** Metrics of a run or of one of its steps, oldest first. */
export async function metricsOf(
  db: CatalogDb,
  run: string,
  path: string | undefined,
): Promise<readonly MetricRecord[]> {
  let query = db.selectFrom('metrics').selectAll().where('run', '=', run);
  if (path !== undefined) query = query.where('path', '=', path);
  const rows = await query
    .orderBy('at')
    .orderBy('index', (order) => order.asc().nullsFirst())
    .orderBy('path')
    .orderBy('name')
    .execute();
  return rows.map(toMetric);
}

const keyOf = ({ run, path, attempt }: Pick<AttemptRecord, 'run' | 'path' | 'attempt'>): string =>
  JSON.stringify([run, path, attempt]);

const changing = [
  'status',
  'executor',
  'image',
  'worker',
  'started_at',
  'closed_at',
  'exit_code',
  'cpu_seconds',
  'peak_memory_bytes',
  'wall_seconds',
  'gpu_seconds',
  'failure',
  'log',
  'packages',
  'resources',
  'build',
] as const;

const toRow = (attempt: AttemptRecord): Insertable<AttemptTable> => ({
  run: attempt.run,
  path: attempt.path,
  attempt: attempt.attempt,
  status: attempt.status,
  executor: attempt.executor,
  image: attempt.image ?? null,
  worker: attempt.worker,
  started_at: attempt.startedAt,
  closed_at: attempt.closedAt ?? null,
  exit_code: attempt.exitCode ?? null,
  cpu_seconds: attempt.cpuSeconds ?? null,
  peak_memory_bytes: attempt.peakMemoryBytes ?? null,
  wall_seconds: attempt.wallSeconds ?? null,
  gpu_seconds: attempt.gpuSeconds ?? null,
  failure: toJson(attempt.failure),
  log: attempt.log ?? null,
  packages: toJson(attempt.packages),
  resources: toJson(attempt.resources),
  build: attempt.build ?? null,
});

const toAttempt = (row: Selectable<AttemptTable>): AttemptRecord =>
  present<AttemptRecord>({
    run: row.run,
    path: row.path,
    attempt: row.attempt,
    status: row.status,
    executor: row.executor,
    image: orAbsent(row.image),
    worker: row.worker,
    startedAt: row.started_at,
    closedAt: orAbsent(row.closed_at),
    exitCode: orAbsent(row.exit_code),
    cpuSeconds: orAbsent(row.cpu_seconds),
    peakMemoryBytes: orAbsent(row.peak_memory_bytes),
    wallSeconds: orAbsent(row.wall_seconds),
    gpuSeconds: orAbsent(row.gpu_seconds),
    failure: fromJson(row.failure),
    log: orAbsent(row.log),
    packages: fromJson(row.packages),
    resources: fromJson(row.resources),
    build: orAbsent(row.build),
  });

const toMetricRow = (metric: MetricRecord): Insertable<MetricTable> => ({
  run: metric.run,
  path: metric.path,
  attempt: metric.attempt,
  name: metric.name,
  point: metric.index === undefined ? `at ${metric.at} ${metric.value}` : `index ${metric.index}`,
  value: metric.value,
  index: metric.index ?? null,
  at: metric.at,
});

const toMetric = (row: Selectable<MetricTable>): MetricRecord =>
  present<MetricRecord>({
    run: row.run,
    path: row.path,
    attempt: row.attempt,
    name: row.name,
    value: row.value,
    index: orAbsent(row.index),
    at: row.at,
  });
