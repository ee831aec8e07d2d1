import type { Kysely, Migration } from 'kysely';

/** Whose code an attempt ran. Of those of before nobody says it: their run's, unless that was moved. */
export const attemptBuild: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('attempts').addColumn('build', 'text').execute();
  },
};
