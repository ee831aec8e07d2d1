import type { Selectable } from 'kysely';
import type { HostRecord, Hosts } from '../hosts.js';
import { excluded } from './columns.js';
import type { CatalogDb, CatalogTables } from './tables.js';

/** The hosts' table of a catalog. */
export const kyselyHosts = (db: CatalogDb): Hosts => ({
  async beat({ id, queue, name, seenAt, gone }) {
    await db
      .insertInto('hosts')
      .values({ id, queue, name, seen_at: seenAt, gone: gone ? 1 : 0 })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet(excluded(['queue', 'name', 'seen_at', 'gone'])),
      )
      .execute();
  },
  async giveUp(id, silentSince) {
    const { numUpdatedRows } = await db
      .updateTable('hosts')
      .set({ gone: 1 })
      .where('id', '=', id)
      .where((where) => where.or([where('seen_at', '<', silentSince), where('gone', '=', 1)]))
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },
  async find(id) {
    const row = await db.selectFrom('hosts').selectAll().where('id', '=', id).executeTakeFirst();
    return row && toHost(row);
  },
  async list(queue) {
    const rows = await db
      .selectFrom('hosts')
      .selectAll()
      .where('queue', '=', queue)
      .orderBy('seen_at', 'desc')
      .execute();
    return rows.map(toHost);
  },
});

const toHost = ({ id, queue, name, seen_at, gone }: Selectable<CatalogTables['hosts']>): HostRecord => ({
  id,
  queue,
  name,
  seenAt: seen_at,
  gone: gone === 1,
});
