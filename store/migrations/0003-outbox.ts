import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** A delivered message stays for a while without its body, so that one that comes again is known. */
export const outbox: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('outbox_receivers')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('topics', 'text', (column) => column.notNull())
      .addColumn('holder', 'text')
      .addColumn('leased_until', 'text')
      .execute();

    await db.schema
      .createTable('outbox')
      .addColumn('receiver', 'text', (column) => column.notNull())
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('body', 'text')
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('next_at', 'text', (column) => column.notNull())
      .addColumn('error', 'text')
      .addColumn('delivered_at', 'text')
      .addPrimaryKeyConstraint('outbox_key', ['receiver', 'position'])
      .addUniqueConstraint('outbox_once', ['receiver', 'key'])
      .execute();
    await db.schema
      .createIndex('outbox_waiting')
      .on('outbox')
      .columns(['receiver', 'position'])
      .where(sql.ref('delivered_at'), 'is', null)
      .execute();
    await db.schema.createIndex('outbox_delivered').on('outbox').column('delivered_at').execute();
  },
};
