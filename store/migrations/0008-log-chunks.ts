import type { Kysely, Migration } from 'kysely';

/** What running attempts stored of their logs. */
export const logChunks: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('log_chunks')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addColumn('sequence', 'integer', (column) => column.notNull())
      .addColumn('position', 'bigint', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('first_at', 'text', (column) => column.notNull())
      .addColumn('last_at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('log_chunks_key', ['run', 'path', 'attempt', 'sequence'])
      .execute();
  },
};
