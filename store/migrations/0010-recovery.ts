import type { Kysely, Migration } from 'kysely';

/** Which run another one recovers, and whose result each of its steps took. */
export const recovery: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('runs').addColumn('recovers', 'text').execute();
    await db.schema.alterTable('steps').addColumn('reused', 'text').execute();
  },
};
