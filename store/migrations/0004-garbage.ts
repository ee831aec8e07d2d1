import type { Kysely, Migration } from 'kysely';

/** Content that a run reaches and no other row names: its large values, in Temporal's history and in rows. */
export const garbage: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('run_content')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('run_content_key', ['run', 'digest'])
      .execute();
    await db.schema.createIndex('run_content_by_digest').on('run_content').column('digest').execute();
    await db.schema.createIndex('runs_by_close').on('runs').columns(['closed_at']).execute();
    await db.schema.createIndex('alias_changes_by_run').on('alias_changes').column('run').execute();
  },
};
