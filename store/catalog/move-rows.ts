import type { Moves, RunMove } from '../moves.js';
import { keepBuild } from './build-rows.js';
import { exclusive } from './exclusive.js';
import type { CatalogDb } from './tables.js';

/** The moves' table of a catalog. */
export const kyselyMoves = (db: CatalogDb): Moves => ({
  begin: (build, moves) =>
    exclusive(db, [`queue ${build.queue}`], async (trx) => {
      await keepBuild(trx, build);
      for (const move of moves) await upsert(trx, move);
    }),
  async add({ run, home, build, at }) {
    await db
      .insertInto('moves')
      .values({ run, home, build, at })
      .onConflict((conflict) => conflict.column('run').doNothing())
      .execute();
  },
  async takeBack({ run, build, at }, former) {
    const noted = { run, build, at };
    if (former) {
      const before = { build: former.build, at: former.at };
      await db.updateTable('moves').set(before).where((eb) => eb.and(noted)).execute(); // prettier-ignore
    } else {
      await db.deleteFrom('moves').where((eb) => eb.and(noted)).execute(); // prettier-ignore
    }
  },
  open: (queue) =>
    db
      .selectFrom('moves')
      .innerJoin('runs', 'runs.id', 'moves.run')
      .select(['moves.run', 'moves.home', 'moves.build', 'moves.at'])
      .where('runs.queue', '=', queue)
      .where('runs.status', '=', 'running')
      .orderBy('moves.run')
      .execute(),
  of: (run) => db.selectFrom('moves').selectAll().where('run', '=', run).executeTakeFirst(),
});

async function upsert(db: CatalogDb, { run, home, build, at }: RunMove): Promise<void> {
  await db
    .insertInto('moves')
    .values({ run, home, build, at })
    .onConflict((conflict) => conflict.column('run').doUpdateSet({ build, at }))
    .execute();
}
