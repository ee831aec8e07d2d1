import { Kysely } from 'kysely';
import { ConfigInvalid } from '../sdk/errors.js';
import type { Catalog } from './catalog.js';
import type { CatalogTables } from './catalog/tables.js';
import { kyselyCatalog } from './kysely-catalog.js';
import { migrateCatalog } from './migrate-catalog.js';
import { sqliteDialect } from './sqlite-dialect.js';
import { pathOfUrl } from './store-url.js';

/**
 * Opens the catalog a URL names, creating it and its folder if need be; any number of processes may have it open.
 * @param url `sqlite:<path>`
 * @throws ConfigInvalid for any other scheme, a file that is no catalog, or one a newer program wrote
 */
export async function openCatalog(url: string): Promise<Catalog> {
  const path = pathOfUrl(url, { scheme: 'sqlite', option: 'catalog' });
  const db = new Kysely<CatalogTables>({ dialect: sqliteDialect(path) });
  try {
    await migrateCatalog(db, path);
    return kyselyCatalog(db, path);
  } catch (error) {
    await db.destroy().catch(() => {});
    throw notACatalog(error, path) ?? error;
  }
}

function notACatalog(cause: unknown, path: string): ConfigInvalid | undefined {
  if ((cause as { readonly code?: unknown }).code !== 'SQLITE_NOTADB') return undefined;
  return new ConfigInvalid(`${path} is no catalog: it is not an SQLite file.`, {
    hint: 'Point `catalog` at another path.',
    cause,
  });
}
