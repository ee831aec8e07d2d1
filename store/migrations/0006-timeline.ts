import type { Kysely, Migration } from 'kysely';

/** What was decided about steps and why, and what each attempt was given. */
export const timeline: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('timeline')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('at', 'text', (column) => column.notNull())
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('text', 'text', (column) => column.notNull())
      .addColumn('data', 'text')
      .addPrimaryKeyConstraint('timeline_key', ['run', 'path', 'at', 'attempt', 'kind'])
      .execute();
    await db.schema.alterTable('attempts').addColumn('resources', 'text').execute();
  },
};
