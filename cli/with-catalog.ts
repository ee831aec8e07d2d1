import type { Config } from '../config/config.js';
import type { Catalog } from '../store/catalog.js';

/** Opens the catalog of the project of the current folder, hands it to `use` and closes it after: no service is asked. */
export async function withCatalog<T>(use: (catalog: Catalog, config: Config) => Promise<T>): Promise<T> {
  const { loadConfig } = await import('../config/load-config.js');
  const config = await loadConfig();
  const { openCatalog } = await import('../store/open-catalog.js');
  await using catalog = await openCatalog(config.catalog);
  return await use(catalog, config);
}
