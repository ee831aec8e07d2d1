import type { Kysely, Migration } from 'kysely';

/** Hosts that run steps, and what people did about parked ones. */
export const hosts: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('hosts')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('queue', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('seen_at', 'text', (column) => column.notNull())
      .addColumn('gone', 'integer', (column) => column.notNull())
      .execute();
    await db.schema.alterTable('steps').addColumn('repair', 'text').execute();
  },
};
