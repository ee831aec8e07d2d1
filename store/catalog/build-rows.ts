import type { Selectable } from 'kysely';
import type { BuildRecord } from '../catalog.js';
import { excluded, fromJson } from './columns.js';
import { exclusive } from './exclusive.js';
import type { CatalogDb, CatalogTables } from './tables.js';

/** Makes the build its queue's current one; published again, it becomes that again. */
export const publishBuild = (db: CatalogDb, build: BuildRecord): Promise<void> =>
  exclusive(db, [`queue ${build.queue}`], async (trx) => {
    const last = await trx
      .selectFrom('builds')
      .select((eb) => eb.fn.max('published').as('published'))
      .where('queue', '=', build.queue)
      .executeTakeFirst();
    await trx
      .insertInto('builds')
      .values(rowOf(build, Math.max(last?.published ?? 0, firstPublished - 1) + 1))
      .onConflict((conflict) =>
        conflict
          .columns(['id', 'queue'])
          .doUpdateSet(
            excluded(['published', 'created_at', 'workflow_bundle', 'node_bundle', 'pipelines', 'steps']),
          ),
      )
      .execute();
  });

/** Has a build for runs that go on with it, without any starting on it. One that is there stays as it is. Within `exclusive`. */
export async function keepBuild(trx: CatalogDb, build: BuildRecord): Promise<void> {
  const first = await trx
    .selectFrom('builds')
    .select((eb) => eb.fn.min('published').as('published'))
    .where('queue', '=', build.queue)
    .executeTakeFirst();
  await trx
    .insertInto('builds')
    // Each number once in a queue.
    .values(rowOf(build, Math.min(first?.published ?? firstPublished, firstPublished) - 1))
    .onConflict((conflict) => conflict.columns(['id', 'queue']).doNothing())
    .execute();
}

/** Builds that nobody published have lower numbers. */
const firstPublished = 1;

const rowOf = (build: BuildRecord, published: number) => ({
  id: build.id,
  queue: build.queue,
  published,
  created_at: build.createdAt,
  workflow_bundle: build.workflowBundle,
  node_bundle: build.nodeBundle,
  pipelines: JSON.stringify(build.pipelines),
  steps: JSON.stringify(build.steps),
});

export async function currentBuild(db: CatalogDb, queue: string): Promise<BuildRecord | undefined> {
  const row = await db
    .selectFrom('builds')
    .selectAll()
    .where('queue', '=', queue)
    .where('published', '>=', firstPublished)
    .orderBy('published', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && toBuild(row);
}

export async function buildById(db: CatalogDb, id: string): Promise<BuildRecord | undefined> {
  const row = await db
    .selectFrom('builds')
    .selectAll()
    .where('id', '=', id)
    .orderBy('published', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && toBuild(row);
}

const toBuild = (row: Selectable<CatalogTables['builds']>): BuildRecord => ({
  id: row.id,
  queue: row.queue,
  createdAt: row.created_at,
  workflowBundle: row.workflow_bundle,
  nodeBundle: row.node_bundle,
  pipelines: fromJson(row.pipelines),
  steps: fromJson(row.steps),
});
