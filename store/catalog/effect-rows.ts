import type { RunEffects } from '../catalog.js';
import { toChange, toVersion } from './model-rows.js';
import type { CatalogDb } from './tables.js';

export async function effectsOf(db: CatalogDb, run: string): Promise<RunEffects> {
  const [versions, changes] = await Promise.all([
    db.selectFrom('model_versions').selectAll().where('run', '=', run).execute(),
    db.selectFrom('alias_changes').selectAll().where('run', '=', run).execute(),
  ]);
  return {
    versions: versions.map(toVersion),
    aliasChanges: changes.map((row) => ({ ...toChange(row), run: row.run, path: row.path })),
  };
}
