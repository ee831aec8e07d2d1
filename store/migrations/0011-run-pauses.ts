import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** That a run is paused, and what went wrong in a run's cleanup. */
export const runPauses: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('runs').addColumn('paused', 'text').execute();
    await db.schema.alterTable('runs').addColumn('cleanup_failure', 'text').execute();
    await db.schema
      .createIndex('runs_paused')
      .on('runs')
      .column('id')
      .where(sql.ref('paused'), 'is not', null)
      .execute();
  },
};
