import { isClosed } from '../../sdk/states.js';
import type { GarbageCatalog, GarbagePlan, HeldContent } from '../garbage-catalog.js';
import type { Time } from '../catalog.js';
import { lastByKey, parts } from './columns.js';
import { exclusive } from './exclusive.js';
import { byDigest, contentOfBuilds, contentOfRuns, namedContent } from './named-content.js';
import type { CatalogDb } from './tables.js';
import { doomedTrees } from './doomed-trees.js';

export const garbageRows = (db: CatalogDb): GarbageCatalog => ({
  hold: (content) => holdContent(db, content),
  plan: (before) => plan(db, before),
  forgetTree: (runs, before) => forgetTree(db, runs, before),
  forgetBuilds: (builds) => forgetBuilds(db, builds),
  forgetUnstarted: (before) => forgetUnstarted(db, before),
  named: (without) => namedContent(db, without),
  namedByRuns: async (runs) => byDigest('run', await contentOfRuns(db, runs)),
  async namedByBuilds(builds) {
    const rows = await db.selectFrom('builds').selectAll().execute();
    const keys = new Set(builds.map(keyOfBuild));
    return byDigest('build', contentOfBuilds(rows.filter((row) => keys.has(keyOfBuild(row)))));
  },
});

async function holdContent(db: CatalogDb, content: readonly HeldContent[]): Promise<void> {
  const rows = lastByKey(content, ({ run, digest }) => JSON.stringify([run, digest]));
  for (const part of parts(rows)) {
    await db
      .insertInto('run_content')
      .values(part.map(({ run, digest, type, size, at }) => ({ run, digest, type, size, at })))
      .onConflict((conflict) => conflict.columns(['run', 'digest']).doNothing())
      .execute();
  }
}

async function plan(db: CatalogDb, before: Parameters<GarbageCatalog['plan']>[0]): Promise<GarbagePlan> {
  const { doomed, kept } = await doomedTrees(db, before.runs);
  return {
    trees: doomed,
    keptRuns: kept,
    builds: await doomedBuilds(db, before.builds, new Set(doomed.flat())),
  };
}

/**
 * Everything that is a run's own. What another subject keeps of a run's making goes here too, in the same transaction: nothing
 * may name content that went with its maker.
 */
async function forgetRuns(trx: CatalogDb, runs: readonly string[]): Promise<void> {
  for (const part of parts(runs)) {
    for (const table of [
      'steps',
      'attempts',
      'metrics',
      'artifacts',
      'gates',
      'approvals',
      'run_content',
      'cache_entries',
      'cache_uses',
      'timeline',
      'moves',
      'checkpoints',
      'log_chunks',
    ] as const)
      await trx.deleteFrom(table).where('run', 'in', part).execute();
    await trx.deleteFrom('runs').where('id', 'in', part).execute();
  }
}

const forgetTree = (db: CatalogDb, runs: readonly string[], before: Time): Promise<boolean> =>
  exclusive(
    db,
    runs.map((run) => `run ${run}` as const),
    async (trx) => {
      for (const part of parts(runs)) {
        const rows = await trx
          .selectFrom('runs')
          .select(['status', 'closed_at'])
          .where('id', 'in', part)
          .execute();
        const closed = rows.every(
          ({ status, closed_at }) => isClosed(status) && closed_at !== null && closed_at < before,
        );
        const versions = await trx
          .selectFrom('model_versions')
          .select('run')
          .where('run', 'in', part)
          .execute();
        const children = await trx.selectFrom('runs').select('id').where('parent_run', 'in', part).execute();
        if (!closed || versions.length > 0 || children.some(({ id }) => !runs.includes(id))) return false;
      }
      await forgetRuns(trx, runs);
      return true;
    },
  );

const keyOfBuild = ({ id, queue }: { readonly id: string; readonly queue: string }): string =>
  JSON.stringify([queue, id]);

/** A run may be starting on the build that was current a moment ago: what counts is when its successor was published. */
async function doomedBuilds(
  db: CatalogDb,
  before: Time,
  withoutRuns: ReadonlySet<string>,
): Promise<GarbagePlan['builds']> {
  const rows = await db
    .selectFrom('builds')
    .select(['id', 'queue', 'created_at'])
    .orderBy('queue')
    .orderBy('published')
    .execute();
  const runs = await db.selectFrom('runs').select(['id', 'build']).execute();
  const moves = await db.selectFrom('moves').select(['run', 'home', 'build']).execute();
  const between = await attemptsOfMoved(db).select(['attempts.run', 'attempts.build']).distinct().execute();
  const used = new Set([
    ...runs.filter(({ id }) => !withoutRuns.has(id)).map(({ build }) => build),
    ...moves.filter(({ run }) => !withoutRuns.has(run)).flatMap(({ home, build }) => [home, build]),
    ...between.filter(({ run }) => !withoutRuns.has(run)).map(({ build }) => build),
  ]);
  return rows
    .filter(({ id, queue }, index) => {
      const next = rows[index + 1];
      return next?.queue === queue && next.created_at < before && !used.has(id);
    })
    .map(({ id, queue }) => ({ id, queue }));
}

/** Of runs that were moved more than once, whose code may be that of builds in between. */
const attemptsOfMoved = (db: CatalogDb) =>
  db.selectFrom('moves').innerJoin('attempts', 'attempts.run', 'moves.run');

async function forgetBuilds(db: CatalogDb, builds: GarbagePlan['builds']): Promise<GarbagePlan['builds']> {
  const gone: { readonly id: string; readonly queue: string }[] = [];
  for (const { id, queue } of builds) {
    await exclusive(db, [`queue ${queue}`], async (trx) => {
      const run = await trx
        .selectFrom('runs')
        .select('id')
        .where('build', '=', id)
        .limit(1)
        .executeTakeFirst();
      const move = await trx
        .selectFrom('moves')
        .select('run')
        .where(({ or, eb }) => or([eb('home', '=', id), eb('build', '=', id)]))
        .limit(1)
        .executeTakeFirst();
      const last = await trx
        .selectFrom('builds')
        .select('id')
        .where('queue', '=', queue)
        .orderBy('published', 'desc')
        .limit(1)
        .executeTakeFirst();
      const between = await attemptsOfMoved(trx)
        .select('attempts.run')
        .where('attempts.build', '=', id)
        .limit(1)
        .executeTakeFirst();
      if (run || move || between || last?.id === id) return;
      await trx.deleteFrom('builds').where('id', '=', id).where('queue', '=', queue).execute();
      gone.push({ id, queue });
    });
  }
  return gone;
}

async function forgetUnstarted(db: CatalogDb, before: Time): Promise<void> {
  await db
    .deleteFrom('run_content')
    .where('at', '<', before)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('runs').select('runs.id').whereRef('runs.id', '=', 'run_content.run'))),
    )
    .execute();
}
