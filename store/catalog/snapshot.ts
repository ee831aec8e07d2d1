import type { Transaction } from 'kysely';
import type { CatalogDb, CatalogTables } from './tables.js';

/** Reads the catalog as it stands at one moment, while others go on writing to it. */
export const snapshot = <T>(
  db: CatalogDb,
  work: (trx: Transaction<CatalogTables>) => Promise<T>,
): Promise<T> =>
  db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work);
