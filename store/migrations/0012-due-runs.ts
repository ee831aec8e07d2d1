import type { Kysely, Migration } from 'kysely';

/** When a run is expected to have ended, and since when it is known that it has not. */
export const dueRuns: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('runs').addColumn('due_at', 'text').execute();
    await db.schema.alterTable('runs').addColumn('overdue_at', 'text').execute();
  },
};
