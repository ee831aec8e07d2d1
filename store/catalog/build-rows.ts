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
      .values({
        id: build.id,
        queue: build.queue,
        published: (last?.published ?? 0) + 1,
        created_at: build.createdAt,
        workflow_bundle: build.workflowBundle,
        node_bundle: build.nodeBundle,
        pipelines: JSON.stringify(build.pipelines),
        steps: JSON.stringify(build.steps),
      })
      .onConflict((conflict) =>
        conflict
          .columns(['id', 'queue'])
          .doUpdateSet(
            excluded(['published', 'created_at', 'workflow_bundle', 'node_bundle', 'pipelines', 'steps']),
          ),
      )
      .execute();
  });

export async function currentBuild(db: CatalogDb, queue: string): Promise<BuildRecord | undefined> {
  const row = await db
    .selectFrom('builds')
    .selectAll()
    .where('queue', '=', queue)
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
