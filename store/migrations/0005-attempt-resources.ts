import type { Kysely, Migration } from 'kysely';

/** Attempts of before have neither: what they took was not measured. */
export const attemptResources: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('attempts').addColumn('wall_seconds', 'double precision').execute();
    await db.schema.alterTable('attempts').addColumn('gpu_seconds', 'double precision').execute();
  },
};
