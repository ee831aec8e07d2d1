import type { Migration } from 'kysely';
import { firstTables } from './0001-first-tables.js';
import { cache } from './0002-cache.js';

/** Every migration there is, forward only: names sort in the order they run, and one that was released never changes. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-first-tables': firstTables,
  '0002-cache': cache,
};
