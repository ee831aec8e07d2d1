import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import { PostgresAdapter, sql } from 'kysely';
import { isTransactionConflict } from '../postgres/postgres-errors.js';
import type { CatalogDb, CatalogTables } from './tables.js';

/** What a transaction reads and then writes: a queue's builds, a run with its steps, a model with its versions, a cached key. */
export type Subject = `${'queue' | 'run' | 'model' | 'key'} ${string}`;

const mostTries = 5;

/**
 * Runs `work` in a transaction that sees all that others committed about these subjects before it, and that no other one about
 * any of them runs beside. Every read-modify-write goes through here.
 *
 * In an SQLite file there is one writer anyway. On PostgreSQL each subject has a lock of its own, so that a fleet writes at once
 * about different runs; the locks are taken in one order, so that nobody waits in a circle, and end with the transaction.
 */
export async function exclusive<T>(
  db: CatalogDb,
  subjects: readonly Subject[],
  work: (trx: Transaction<CatalogTables>) => Promise<T>,
): Promise<T> {
  if (!(db.getExecutor().adapter instanceof PostgresAdapter)) return db.transaction().execute(work);
  for (let tries = 1; ; tries++) {
    try {
      return await db
        .transaction()
        .setIsolationLevel('read committed')
        .execute(async (trx) => {
          await lock(trx, subjects);
          return work(trx);
        });
    } catch (error) {
      if (tries >= mostTries || !isTransactionConflict(error)) throw error;
    }
    await sleep(Math.random() * 20 * 2 ** tries);
  }
}

/** One statement, which takes the locks in the order of their keys. A holder that hangs is ended by the server. */
async function lock(trx: CatalogDb, subjects: readonly Subject[]): Promise<void> {
  const keys = [...new Set(subjects.map(keyOf))].sort((a, b) => (a < b ? -1 : 1)).map(String);
  await sql`
    with patience as (
      select set_config('lock_timeout', '30s', true), set_config('idle_in_transaction_session_timeout', '30s', true)
    )
    select pg_advisory_xact_lock(key) from patience, unnest(${keys}::bigint[]) as key`.execute(trx);
}

/** The subject as a number of 64 bits. Two that share one only wait for each other. */
const keyOf = (subject: Subject): bigint => createHash('sha256').update(subject).digest().readBigInt64BE();
