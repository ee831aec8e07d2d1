import type { Kysely, Migration } from 'kysely';

/** Cached results by content key, what the cache did for each step, and who computes what. */
export const cache: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('cache_entries')
      .addColumn('key', 'text', (column) => column.primaryKey())
      .addColumn('step', 'text', (column) => column.notNull())
      .addColumn('pipeline', 'text', (column) => column.notNull())
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('output', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('cache_entries_by_run').on('cache_entries').columns(['run']).execute();
    await db.schema
      .createIndex('cache_entries_by_time')
      .on('cache_entries')
      .columns(['created_at'])
      .execute();

    await db.schema
      .createTable('cache_uses')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('parts', 'text', (column) => column.notNull())
      .addColumn('step', 'text', (column) => column.notNull())
      .addColumn('pipeline', 'text', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('from_run', 'text')
      .addColumn('from_path', 'text')
      .addColumn('reason', 'text')
      .addColumn('at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('cache_uses_key', ['run', 'path'])
      .execute();
    await db.schema
      .createIndex('cache_uses_by_step')
      .on('cache_uses')
      .columns(['pipeline', 'step', 'at'])
      .execute();
    await db.schema.createIndex('cache_uses_by_key').on('cache_uses').columns(['key', 'outcome']).execute();

    await db.schema
      .createTable('cache_leases')
      .addColumn('key', 'text', (column) => column.primaryKey())
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addColumn('token', 'text', (column) => column.notNull())
      .addColumn('beats', 'integer', (column) => column.notNull())
      .addColumn('renewed_at', 'text', (column) => column.notNull())
      .execute();

    await db.schema.alterTable('steps').addColumn('cached', 'text').execute();
  },
};
