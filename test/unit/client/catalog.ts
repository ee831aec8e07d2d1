import path from 'node:path';
import type { Catalog } from '../../../store/catalog.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

/** A new SQLite catalog. */
export async function newCatalog(): Promise<Catalog> {
  const catalog = await openCatalog(`sqlite:${path.join(await temporaryFolder(), 'catalog.db')}`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  return catalog;
}
