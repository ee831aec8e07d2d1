import type { Kysely, Migration } from 'kysely';

/** Of what work a checkpoint is; those of before go on to count for any. */
export const checkpointWork: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('checkpoints').addColumn('work', 'text').execute();
  },
};
