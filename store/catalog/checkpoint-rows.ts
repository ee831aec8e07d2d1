import type { CheckpointRecord, Checkpoints } from '../checkpoints.js';
import type { StepRecord } from '../catalog.js';
import { parts } from './columns.js';
import { exclusive } from './exclusive.js';
import type { CatalogDb } from './tables.js';

/** One may turn out to be broken: the one before is better than none. */
const kept = 2;

/** The checkpoints' table of a catalog. */
export const kyselyCheckpoints = (db: CatalogDb): Checkpoints => ({
  add: (checkpoint) => exclusive(db, [`run ${checkpoint.run}`], (trx) => add(trx, checkpoint)),
  list: (run, path) => list(db, run, path),
});

async function add(
  trx: CatalogDb,
  checkpoint: Omit<CheckpointRecord, 'sequence'>,
): Promise<number | undefined> {
  const { run, path, attempt, digest, size, at, work } = checkpoint;
  if (await isSuperseded(trx, checkpoint)) return undefined;
  const known = await list(trx, run, path);
  const [newest] = known;
  if (newest?.digest === digest && newest.work === work) return newest.sequence;
  // Of this attempt: a later call of the step counts its attempts anew.
  const last = known.find((each) => each.attempt === attempt)?.sequence ?? 0;
  const sequence = last + 1;
  await trx
    .insertInto('checkpoints')
    .values({ run, path, attempt, sequence, digest, size, at, work: work ?? null })
    .execute();
  for (const old of (await list(trx, run, path)).slice(kept)) {
    await trx
      .deleteFrom('checkpoints')
      .where('run', '=', run)
      .where('path', '=', path)
      .where('attempt', '=', old.attempt)
      .where('sequence', '=', old.sequence)
      .execute();
  }
  return sequence;
}

/** An attempt whose row says that it was given up, or that has a successor under way. */
async function isSuperseded(
  trx: CatalogDb,
  { run, path, attempt }: Pick<CheckpointRecord, 'run' | 'path' | 'attempt'>,
): Promise<boolean> {
  const attempts = await trx
    .selectFrom('attempts')
    .select(['attempt', 'status'])
    .where('run', '=', run)
    .where('path', '=', path)
    .where('attempt', '>=', attempt)
    .execute();
  return attempts.some((each) => each.status === (each.attempt === attempt ? 'lost' : 'running'));
}

async function list(db: CatalogDb, run: string, path?: string): Promise<readonly CheckpointRecord[]> {
  let query = db.selectFrom('checkpoints').selectAll().where('run', '=', run);
  if (path !== undefined) query = query.where('path', '=', path);
  const rows = await query.orderBy('attempt', 'desc').orderBy('sequence', 'desc').execute();
  return rows.map(({ work, ...row }) => ({ ...row, ...(work !== null && { work }) }));
}

/** Nobody goes on from a checkpoint of a step that has its result, inside a transaction. */
export async function dropCheckpoints(trx: CatalogDb, steps: readonly StepRecord[]): Promise<void> {
  const paths = new Map<string, string[]>();
  for (const { run, path, kind, status } of steps)
    if (kind === 'step' && status === 'completed') paths.set(run, [...(paths.get(run) ?? []), path]);
  for (const [run, completed] of paths)
    for (const part of parts(completed))
      await trx.deleteFrom('checkpoints').where('run', '=', run).where('path', 'in', part).execute();
}
