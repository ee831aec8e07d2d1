import type { Selectable } from 'kysely';
import type { AttemptRecord } from '../catalog.js';
import type { LogChunk, LogChunks, LogPlace } from '../log-chunks.js';
import { exclusive } from './exclusive.js';
import type { CatalogDb, CatalogTables } from './tables.js';

/** The chunks of logs of a catalog. */
export const kyselyLogChunks = (db: CatalogDb): LogChunks => ({
  next: (place) => exclusive(db, [`run ${place.run}`], async (trx) => (await lastEnd(trx, place))?.position),
  add: (chunk) => exclusive(db, [`run ${chunk.run}`], (trx) => add(trx, chunk)),
  replace: (place, log) => exclusive(db, [`run ${place.run}`], (trx) => replace(trx, place, log)),
  list: (place, after) => list(db, place, after),
});

type End = { readonly position: number; readonly sequence: number };

async function add(trx: CatalogDb, chunk: Omit<LogChunk, 'sequence'>): Promise<number | undefined> {
  const end = await lastEnd(trx, chunk);
  // Another worker stored it meanwhile, or a part of it.
  if (end?.position !== chunk.position) return end?.position;
  const { run, path, attempt, position, digest, size, firstAt, lastAt } = chunk;
  await trx
    .insertInto('log_chunks')
    .values({
      run,
      path,
      attempt,
      sequence: end.sequence + 1,
      position,
      digest,
      size,
      first_at: firstAt,
      last_at: lastAt,
    })
    .execute();
  return position + size;
}

async function replace(
  trx: CatalogDb,
  place: LogPlace,
  { digest, size }: Pick<LogChunk, 'digest' | 'size'>,
): Promise<boolean> {
  if ((await endOfChunks(trx, place)).position > size) return false;
  const { run, path, attempt } = place;
  const named = await trx
    .updateTable('attempts')
    .set({ log: digest })
    .where('run', '=', run)
    .where('path', '=', path)
    .where('attempt', '=', attempt)
    .where('log', 'is', null)
    .returning('attempt')
    .executeTakeFirst();
  if (!named) return false;
  await dropLogChunks(trx, [{ ...place, log: digest }]);
  return true;
}

const lastEnd = async (trx: CatalogDb, place: LogPlace): Promise<End | undefined> =>
  (await takesMore(trx, place)) ? endOfChunks(trx, place) : undefined;

async function endOfChunks(trx: CatalogDb, place: LogPlace): Promise<End> {
  const last = await ofAttempt(trx, place).orderBy('sequence', 'desc').limit(1).executeTakeFirst();
  return last
    ? { position: last.position + last.size, sequence: last.sequence }
    : { position: 0, sequence: 0 };
}

/** Content that rows of a forgotten run name would stay for ever. */
async function takesMore(trx: CatalogDb, { run, path, attempt }: LogPlace): Promise<boolean> {
  const known = await trx.selectFrom('runs').select('id').where('id', '=', run).executeTakeFirst();
  if (!known) return false;
  const row = await trx
    .selectFrom('attempts')
    .select(['status', 'log'])
    .where('run', '=', run)
    .where('path', '=', path)
    .where('attempt', '=', attempt)
    .executeTakeFirst();
  return row === undefined || (row.status !== 'lost' && row.log === null);
}

const ofAttempt = (db: CatalogDb, { run, path, attempt }: LogPlace) =>
  db
    .selectFrom('log_chunks')
    .selectAll()
    .where('run', '=', run)
    .where('path', '=', path)
    .where('attempt', '=', attempt);

async function list(db: CatalogDb, place: LogPlace, after = 0): Promise<readonly LogChunk[]> {
  const rows = await ofAttempt(db, place).where('sequence', '>', after).orderBy('sequence').execute();
  return rows.map(toChunk);
}

const toChunk = ({ first_at, last_at, ...row }: Selectable<CatalogTables['log_chunks']>): LogChunk => ({
  ...row,
  firstAt: first_at,
  lastAt: last_at,
});

/** Of attempts whose rows name their whole log, inside a transaction. */
export async function dropLogChunks(
  trx: CatalogDb,
  attempts: readonly Pick<AttemptRecord, 'run' | 'path' | 'attempt' | 'log'>[],
): Promise<void> {
  for (const { run, path, attempt, log } of attempts) {
    if (log === undefined) continue;
    await trx
      .deleteFrom('log_chunks')
      .where('run', '=', run)
      .where('path', '=', path)
      .where('attempt', '=', attempt)
      .execute();
  }
}
