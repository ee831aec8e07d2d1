import type { ProjectedRows } from '../catalog.js';
import { upsertArtifacts } from './artifact-rows.js';
import { upsertAttempts, upsertMetrics } from './attempt-rows.js';
import { upsertUses } from './cache-rows.js';
import { dropCheckpoints } from './checkpoint-rows.js';
import type { Subject } from './exclusive.js';
import { dropLogChunks } from './log-chunk-rows.js';
import { exclusive } from './exclusive.js';
import { tellLifecycle } from './lifecycle-rows.js';
import { tellNotices } from './notice-rows.js';
import { upsertSteps } from './step-rows.js';
import type { CatalogDb } from './tables.js';
import { addTimeline } from './timeline-rows.js';

/** All rows or none. On the way of each step: a few statements, each for many rows, in one short transaction. */
export async function projectRows(db: CatalogDb, rows: ProjectedRows): Promise<void> {
  const { steps = [], attempts = [], metrics = [], artifacts = [], cacheUses = [], timeline = [] } = rows;
  const runs = [...steps, ...attempts, ...metrics, ...artifacts, ...cacheUses, ...timeline].map(
    (row): Subject => `run ${row.run}`,
  );
  if (runs.length === 0) return;
  await exclusive(db, runs, async (trx) => {
    // Steps first: how they are merged depends on the attempts that were there before this call.
    const { told, notices, records } = await upsertSteps(trx, { steps, attempts });
    // By what the steps are now: a late row may say of one that runs again that it has completed.
    await dropCheckpoints(trx, records);
    await upsertAttempts(trx, attempts);
    await dropLogChunks(trx, attempts);
    await upsertMetrics(trx, metrics);
    await upsertArtifacts(trx, artifacts);
    await upsertUses(trx, cacheUses);
    await addTimeline(trx, timeline);
    await tellLifecycle(trx, told);
    await tellNotices(trx, notices);
  });
}
