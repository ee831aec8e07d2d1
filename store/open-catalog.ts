import type { Catalog } from './catalog.js';
import { kyselyCatalog } from './kysely-catalog.js';
import type { Migrations } from './migrations/migrations.js';
import { openCatalogDatabase } from './open-catalog-database.js';

/**
 * Opens the catalog a URL names, creating its tables if need be; any number of processes may have it open.
 * @param url `sqlite:<path>` or `postgres://<user>:<password>@<host>:<port>/<database>`
 * @throws ConfigInvalid, InfrastructureFailed as `openCatalogDatabase`
 */
export async function openCatalog(url: string, migrations?: Migrations): Promise<Catalog> {
  const { db, location } = await openCatalogDatabase(url, migrations);
  return kyselyCatalog(db, location);
}
