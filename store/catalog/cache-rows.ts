import type { ExpressionBuilder, Insertable, Selectable } from 'kysely';
import { sql } from 'kysely';
import type { CacheEntry, CacheFilter, CacheIndex, CacheUse, LeaseRequest } from '../cache-index.js';
import { excluded, fromJson, lastByKey, orAbsent, parts, present } from './columns.js';
import { exclusive } from './exclusive.js';
import type { CatalogDb, CatalogTables } from './tables.js';

type EntryTable = CatalogTables['cache_entries'];
type UseTable = CatalogTables['cache_uses'];

/** The cache's tables of a catalog. */
export const cacheIndex = (db: CatalogDb): CacheIndex => ({
  async entry(key) {
    const row = await db.selectFrom('cache_entries').selectAll().where('key', '=', key).executeTakeFirst();
    return row && toEntry(row);
  },
  entries: (filter) => findEntries(db, filter),
  async evict(filter) {
    const gone = await db
      .deleteFrom('cache_entries')
      .where((eb) => eb.and(conditions(eb, filter)))
      .returning('key')
      .execute();
    return gone.length;
  },

  async use({ run, path }) {
    const row = await db
      .selectFrom('cache_uses')
      .selectAll()
      .where('run', '=', run)
      .where('path', '=', path)
      .executeTakeFirst();
    return row && toUse(row);
  },
  async useBefore({ step, pipeline, path, run, at }) {
    const row = await db
      .selectFrom('cache_uses')
      .selectAll()
      .where('pipeline', '=', pipeline)
      .where('step', '=', step)
      .where('run', '!=', run)
      .where('at', '<', at)
      .orderBy(sql`case when path = ${path} then 0 else 1 end`)
      .orderBy('at', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && toUse(row);
  },

  acquire: (request) => acquire(db, request),
  async renew({ key, token, at }) {
    const renewed = await db
      .updateTable('cache_leases')
      .set((eb) => ({ beats: eb('beats', '+', 1), renewed_at: at }))
      .where('key', '=', key)
      .where('token', '=', token)
      .returning('key')
      .execute();
    return renewed.length > 0;
  },
  async release({ key, token }) {
    await db.deleteFrom('cache_leases').where('key', '=', key).where('token', '=', token).execute();
  },
  commit: (entry, token) =>
    exclusive(db, [`key ${entry.key}`], async (trx) => {
      const mine = await trx
        .deleteFrom('cache_leases')
        .where('key', '=', entry.key)
        .where('token', '=', token)
        .returning('key')
        .execute();
      if (mine.length === 0) return false;
      await trx
        .insertInto('cache_entries')
        .values(toEntryRow(entry))
        .onConflict((conflict) =>
          conflict
            .column('key')
            .doUpdateSet(excluded(['step', 'pipeline', 'run', 'path', 'output', 'created_at'])),
        )
        .execute();
      return true;
    }),
});

/** What the cache did for steps, inside a transaction; a step that is tried again replaces what it did before. */
export async function upsertUses(trx: CatalogDb, uses: readonly CacheUse[]): Promise<void> {
  for (const part of parts(uses)) {
    await trx
      .insertInto('cache_uses')
      .values([...lastByKey(part.map(toUseRow), (row) => JSON.stringify([row.run, row.path]))])
      .onConflict(
        (conflict) =>
        conflict
          .columns(['run', 'path'])
          .doUpdateSet(excluded(['key', 'parts', 'step', 'pipeline', 'outcome', 'from_run', 'from_path', 'reason', 'at'])), // prettier-ignore
      )
      .execute();
  }
}

/** One statement: of several that ask at once, one gets it, on any database. */
async function acquire(db: CatalogDb, request: LeaseRequest): ReturnType<CacheIndex['acquire']> {
  const { key, run, path, attempt, token, at, abandoned, staleBefore } = request;
  const row = { key, run, path, attempt, token, beats: 0, renewed_at: at };
  for (;;) {
    const taken = await db
      .insertInto('cache_leases')
      .values(row)
      .onConflict((conflict) =>
        conflict
          .column('key')
          .doUpdateSet(excluded(['run', 'path', 'attempt', 'token', 'beats', 'renewed_at']))
          .where((eb) =>
            eb.or([
              eb.and([eb('cache_leases.run', '=', run), eb('cache_leases.path', '=', path)]),
              eb('cache_leases.renewed_at', '<', staleBefore),
              ...(abandoned
                ? [
                    eb.and([
                      eb('cache_leases.token', '=', abandoned.token),
                      eb('cache_leases.beats', '=', abandoned.beats),
                    ]),
                  ]
                : []),
            ]),
          ),
      )
      .returning('key')
      .execute();
    if (taken.length > 0) return { held: true };
    const by = await db
      .selectFrom('cache_leases')
      .select(['run', 'path', 'attempt', 'token', 'beats'])
      .where('key', '=', key)
      .executeTakeFirst();
    // Given back in between: ask again.
    if (by) return { held: false, by };
  }
}

async function findEntries(
  db: CatalogDb,
  { limit = 50, ...filter }: CacheFilter & { readonly limit?: number },
): ReturnType<CacheIndex['entries']> {
  const rows = await db
    .selectFrom('cache_entries')
    .selectAll()
    .select(({ selectFrom }) => [
      selectFrom('cache_uses')
        .select(({ fn }) => fn.countAll<number | string>().as('hits'))
        .whereRef('cache_uses.key', '=', 'cache_entries.key')
        .where('cache_uses.outcome', '!=', 'computed')
        .as('hits'),
      selectFrom('cache_uses')
        .select(({ fn }) => fn.max('cache_uses.at').as('last'))
        .whereRef('cache_uses.key', '=', 'cache_entries.key')
        .where('cache_uses.outcome', '!=', 'computed')
        .as('last_hit_at'),
    ])
    .where((eb) => eb.and(conditions(eb, filter)))
    .orderBy('created_at', 'desc')
    .orderBy('key')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    ...toEntry(row),
    hits: Number(row.hits ?? 0),
    ...(row.last_hit_at !== null && { lastHitAt: row.last_hit_at }),
  }));
}

const conditions = (
  eb: ExpressionBuilder<CatalogTables, 'cache_entries'>,
  { key, step, run, before }: CacheFilter,
) => [
  ...(key === undefined ? [] : [eb('key', '=', key)]),
  ...(step === undefined ? [] : [eb('step', '=', step)]),
  ...(run === undefined ? [] : [eb('run', '=', run)]),
  ...(before === undefined ? [] : [eb('created_at', '<', before)]),
];

const toEntry = (row: Selectable<EntryTable>): CacheEntry => ({
  key: row.key,
  step: row.step,
  pipeline: row.pipeline,
  run: row.run,
  path: row.path,
  output: fromJson<unknown>(row.output),
  createdAt: row.created_at,
});

const toEntryRow = (entry: CacheEntry): Insertable<EntryTable> => ({
  key: entry.key,
  step: entry.step,
  pipeline: entry.pipeline,
  run: entry.run,
  path: entry.path,
  output: JSON.stringify(entry.output),
  created_at: entry.createdAt,
});

const toUse = (row: Selectable<UseTable>): CacheUse =>
  present<CacheUse>({
    run: row.run,
    path: row.path,
    key: row.key,
    parts: fromJson(row.parts),
    step: row.step,
    pipeline: row.pipeline,
    outcome: row.outcome,
    from:
      row.from_run === null || row.from_path === null
        ? undefined
        : { run: row.from_run, path: row.from_path },
    reason: orAbsent(row.reason),
    at: row.at,
  });

const toUseRow = (use: CacheUse): Insertable<UseTable> => ({
  run: use.run,
  path: use.path,
  key: use.key,
  parts: JSON.stringify(use.parts),
  step: use.step,
  pipeline: use.pipeline,
  outcome: use.outcome,
  from_run: use.from?.run ?? null,
  from_path: use.from?.path ?? null,
  reason: use.reason ?? null,
  at: use.at,
});
