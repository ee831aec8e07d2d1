import type { Insertable, Selectable, Updateable } from 'kysely';
import { isClosed } from '../../sdk/states.js';
import type { Catalog, RunFilter, RunRecord } from '../catalog.js';
import { fromJson, orAbsent, parts, present, toJson } from './columns.js';
import { exclusive } from './exclusive.js';
import { runTold, tellLifecycle } from './lifecycle-rows.js';
import { endNotice, overdueNotice, tellNotices } from './notice-rows.js';
import type { CatalogDb, CatalogTables } from './tables.js';
import { addTimeline } from './timeline-rows.js';

type RunTable = CatalogTables['runs'];
export type RunChange = Parameters<Catalog['updateRun']>[0];

export const insertRun = (db: CatalogDb, run: RunRecord): Promise<boolean> =>
  exclusive(db, [`run ${run.id}`], async (trx) => {
    const inserted = await trx
      .insertInto('runs')
      .values(toRow(run))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .executeTakeFirst();
    if (inserted) {
      await insertTags(trx, run.id, run.tags);
      await tellLifecycle(trx, runTold(run.id, undefined, run.status));
    }
    return inserted !== undefined;
  });

/**
 * Changes the fields that are given. A late `running` does not reopen a closed run. A completed run has no failure, whatever
 * was asked of it before; of one that failed the failure counts that came with its end.
 */
export const updateRun = (db: CatalogDb, change: RunChange): Promise<void> =>
  exclusive(db, [`run ${change.id}`], async (trx) => {
    const { id, tags } = change;
    const stored = await trx
      .selectFrom('runs')
      .select(['status', 'parent_run'])
      .where('id', '=', id)
      .executeTakeFirst();
    if (!stored) return;
    const { status, failure, ...rest } = toColumns(change);
    const reopens = status === 'running' && isClosed(stored.status);
    const end = status === undefined || reopens ? stored.status : status;
    const speaks = status !== undefined || ['running', 'cancelled'].includes(stored.status);
    const columns = {
      ...rest,
      ...(end !== stored.status && { status: end }),
      ...(isClosed(end) && { paused: null }),
      ...(end === 'completed' ? { failure: null } : failure !== undefined && speaks && { failure }),
    };
    if (Object.keys(columns).length > 0) {
      await trx.updateTable('runs').set(columns).where('id', '=', id).execute();
    }
    // Also of steps that nobody awaited.
    if (end === 'completed' && end !== stored.status)
      await trx.deleteFrom('checkpoints').where('run', '=', id).execute();
    if (tags) {
      await trx.deleteFrom('run_tags').where('run', '=', id).execute();
      await insertTags(trx, id, tags);
    }
    await tellLifecycle(trx, runTold(id, stored.status, end));
    await tellNotices(trx, endNotice({ run: id, parent: stored.parent_run }, stored.status, end));
  });

export async function runById(db: CatalogDb, id: string): Promise<RunRecord | undefined> {
  const rows = await db.selectFrom('runs').selectAll().where('id', '=', id).execute();
  return (await withTags(db, rows))[0];
}

export async function findRuns(db: CatalogDb, filter: RunFilter): Promise<readonly RunRecord[]> {
  const { pipeline, status, tags = {}, since, parent, limit = 50 } = filter;
  let query = db.selectFrom('runs').selectAll('runs').orderBy('started_at', 'desc').orderBy('id', 'desc');
  query =
    parent === undefined ? query.where('parent_run', 'is', null) : query.where('parent_run', '=', parent);
  if (pipeline !== undefined) query = query.where('pipeline', '=', pipeline);
  if (status !== undefined) query = query.where('status', '=', status);
  if (since !== undefined) query = query.where('started_at', '>=', since);
  for (const [key, value] of Object.entries(tags)) {
    query = query.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('run_tags')
          .select('run_tags.key')
          .whereRef('run_tags.run', '=', 'runs.id')
          .where('run_tags.key', '=', key)
          .where('run_tags.value', '=', value),
      ),
    );
  }
  return withTags(db, await query.limit(limit).execute());
}

export const openRuns = async (db: CatalogDb, queue: string): Promise<readonly RunRecord[]> =>
  withTags(
    db,
    await db
      .selectFrom('runs')
      .selectAll()
      .where('status', '=', 'running')
      .where('queue', '=', queue)
      .orderBy('started_at')
      .orderBy('id')
      .execute(),
  );

export const noticeOverdue = (db: CatalogDb, run: string, at: string): Promise<boolean> =>
  exclusive(db, [`run ${run}`], async (trx) => {
    const noticed = await trx
      .updateTable('runs')
      .set({ overdue_at: at })
      .where('id', '=', run)
      .where('status', '=', 'running')
      .where('overdue_at', 'is', null)
      .returning('due_at')
      .executeTakeFirst();
    if (!noticed) return false;
    const text = `overdue: it was expected to end by ${noticed.due_at ?? at}`;
    await addTimeline(trx, [{ run, path: '', at, attempt: 0, kind: 'overdue', text }]);
    await tellNotices(trx, [overdueNotice(run)]);
    return true;
  });

export async function pausedRuns(db: CatalogDb): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('runs').select('id').where('paused', 'is not', null).execute();
  return new Set(rows.map(({ id }) => id));
}

async function insertTags(db: CatalogDb, run: string, tags: RunRecord['tags']): Promise<void> {
  const rows = Object.entries(tags).map(([key, value]) => ({ run, key, value }));
  if (rows.length > 0) await db.insertInto('run_tags').values(rows).execute();
}

async function withTags(db: CatalogDb, rows: readonly Selectable<RunTable>[]): Promise<readonly RunRecord[]> {
  const byRun = new Map<string, Record<string, string>>();
  for (const part of parts(rows)) {
    const ids = part.map((row) => row.id);
    const tags = await db.selectFrom('run_tags').selectAll().where('run', 'in', ids).orderBy('key').execute();
    for (const { run, key, value } of tags) byRun.set(run, { ...byRun.get(run), [key]: value });
  }
  return rows.map((row) => toRun(row, byRun.get(row.id) ?? {}));
}

const toRun = (row: Selectable<RunTable>, tags: Record<string, string>): RunRecord =>
  present<RunRecord>({
    id: row.id,
    pipeline: row.pipeline,
    build: row.build,
    queue: row.queue,
    service: orAbsent(row.service),
    status: row.status,
    input: fromJson<unknown>(row.input),
    tags,
    parent:
      row.parent_run === null || row.parent_path === null
        ? undefined
        : { run: row.parent_run, path: row.parent_path },
    plan: fromJson(row.plan),
    startedAt: row.started_at,
    closedAt: orAbsent(row.closed_at),
    output: fromJson<unknown>(row.output),
    failure: fromJson(row.failure),
    recovers: orAbsent(row.recovers),
    paused: fromJson(row.paused),
    cleanupFailure: fromJson(row.cleanup_failure),
    dueAt: orAbsent(row.due_at),
    overdueAt: orAbsent(row.overdue_at),
  });

const toRow = (run: RunRecord): Insertable<RunTable> => ({
  id: run.id,
  pipeline: run.pipeline,
  build: run.build,
  queue: run.queue,
  service: run.service ?? null,
  status: run.status,
  input: toJson(run.input),
  parent_run: run.parent?.run ?? null,
  parent_path: run.parent?.path ?? null,
  plan: toJson(run.plan),
  started_at: run.startedAt,
  closed_at: run.closedAt ?? null,
  output: toJson(run.output),
  failure: toJson(run.failure),
  recovers: run.recovers ?? null,
  paused: toJson(run.paused),
  cleanup_failure: toJson(run.cleanupFailure),
  due_at: run.dueAt ?? null,
  overdue_at: run.overdueAt ?? null,
});

/** Only the columns of fields that are there. */
const toColumns = (change: RunChange): Updateable<RunTable> =>
  present<Updateable<RunTable>>({
    id: undefined,
    pipeline: change.pipeline,
    build: change.build,
    queue: change.queue,
    service: change.service,
    status: change.status,
    input: toJson(change.input) ?? undefined,
    parent_run: change.parent?.run,
    parent_path: change.parent?.path,
    plan: toJson(change.plan) ?? undefined,
    started_at: change.startedAt,
    closed_at: change.closedAt,
    output: toJson(change.output) ?? undefined,
    // What was said of a run that went on all the same is over when it completes.
    failure: change.failure ? toJson(change.failure) : clearsFailure(change) ? null : undefined,
    recovers: change.recovers,
    paused: change.paused === null ? null : (toJson(change.paused) ?? undefined),
    cleanup_failure: toJson(change.cleanupFailure) ?? undefined,
    due_at: change.dueAt,
    overdue_at: change.overdueAt,
  });

const clearsFailure = ({ failure, status }: RunChange): boolean =>
  failure === null || (failure === undefined && status === 'completed');
