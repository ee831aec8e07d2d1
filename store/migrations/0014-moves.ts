import type { Kysely, Migration } from 'kysely';

/** Open runs that go on with another build's code on the queue of the one they began with. */
export const moves: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('moves')
      .addColumn('run', 'text', (column) => column.primaryKey())
      .addColumn('home', 'text', (column) => column.notNull())
      .addColumn('build', 'text', (column) => column.notNull())
      .addColumn('at', 'text', (column) => column.notNull())
      .execute();
  },
};
