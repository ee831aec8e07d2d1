import type { TimelineEntry } from '../timeline.js';
import { fromJson, lastByKey, orAbsent, parts, present, toJson } from './columns.js';
import type { CatalogDb } from './tables.js';

/** Adds entries, inside a transaction; one that comes again changes nothing. */
export async function addTimeline(trx: CatalogDb, entries: readonly TimelineEntry[]): Promise<void> {
  for (const part of parts(entries)) {
    const rows = part.map(({ run, path, at, attempt, kind, text, data }) => ({
      run,
      path,
      at,
      attempt,
      kind,
      text,
      data: toJson(data),
    }));
    await trx
      .insertInto('timeline')
      .values([
        ...lastByKey(rows, ({ run, path, at, attempt, kind }) =>
          JSON.stringify([run, path, at, attempt, kind]),
        ),
      ])
      .onConflict((conflict) => conflict.columns(['run', 'path', 'at', 'attempt', 'kind']).doNothing())
      .execute();
  }
}

/** What was decided about a run, or about one of its steps, oldest first. */
export async function timelineOf(
  db: CatalogDb,
  run: string,
  path: string | undefined,
): Promise<readonly TimelineEntry[]> {
  let query = db.selectFrom('timeline').selectAll().where('run', '=', run);
  if (path !== undefined) query = query.where('path', '=', path);
  const rows = await query.orderBy('at').orderBy('path').orderBy('attempt').orderBy('kind').execute();
  return rows.map(({ data, ...row }) => present<TimelineEntry>({ ...row, data: orAbsent(fromJson(data)) }));
}
