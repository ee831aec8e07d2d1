import { Kysely } from 'kysely';
import { ConfigInvalid, InfrastructureFailed } from '../sdk/errors.js';
import type { CatalogDb, CatalogTables } from './catalog/tables.js';
import { migrateCatalog } from './migrate-catalog.js';
import type { Migrations } from './migrations/migrations.js';
import { openingError } from './postgres/postgres-errors.js';
import { isPostgresUrl, postgresPlace } from './postgres/postgres-url.js';
import { postgresDialect } from './postgres/postgres-dialect.js';
import { sqliteDialect } from './sqlite-dialect.js';
import { pathOfUrl } from './store-url.js';

/** A catalog's database, brought to this program's form. */
export type CatalogDatabase = {
  readonly db: CatalogDb;
  /** Where it is, for people; no password. */
  readonly location: string;
};

/**
 * Opens the database that a catalog's URL names; any number of processes may have it open.
 * @param url `sqlite:<path>`, made with its folder if need be, or `postgres://<user>:<password>@<host>:<port>/<database>`
 * @param migrations default: all there are; fewer make it the catalog of an older program
 * @throws ConfigInvalid for any other scheme, a place that is no catalog, that refuses its user, or that a newer program wrote;
 * InfrastructureFailed when it does not answer
 */
export async function openCatalogDatabase(url: string, migrations?: Migrations): Promise<CatalogDatabase> {
  const { db, location } = connect(url);
  try {
    await migrateCatalog(db, location, migrations);
    return { db, location };
  } catch (error) {
    await db.destroy().catch(() => {});
    const cause = error instanceof InfrastructureFailed ? error.cause : error;
    throw notACatalog(cause, location) ?? openingError(cause, location) ?? error;
  }
}

/** Where a URL's catalog is, for people: the URL without its password. @throws ConfigInvalid */
export const catalogLocation = (url: string): string =>
  isPostgresUrl(url) ? postgresPlace(url).location : url;

function connect(url: string): CatalogDatabase {
  if (isPostgresUrl(url)) {
    const place = postgresPlace(url);
    return { db: new Kysely<CatalogTables>({ dialect: postgresDialect(place) }), location: place.location };
  }
  const path = pathOfUrl(url, { scheme: 'sqlite', option: 'catalog', others: ['postgres'] });
  return { db: new Kysely<CatalogTables>({ dialect: sqliteDialect(path) }), location: path };
}

function notACatalog(cause: unknown, path: string): ConfigInvalid | undefined {
  if ((cause as { readonly code?: unknown } | undefined)?.code !== 'SQLITE_NOTADB') return undefined;
  return new ConfigInvalid(`${path} is no catalog: it is not an SQLite file.`, {
    hint: 'Point `catalog` at another path.',
    cause,
  });
}
