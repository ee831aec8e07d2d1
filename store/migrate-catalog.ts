import type { Kysely } from 'kysely';
import { Migrator } from 'kysely';
import { ConfigInvalid, InfrastructureFailed } from '../sdk/errors.js';
import type { CatalogDb } from './catalog/tables.js';
import { migrations } from './migrations/migrations.js';

const table = 'millrace_migrations';

/**
 * Brings a catalog to this program's form. Several processes may do so at once: the dialect runs it in one transaction that
 * only one of them can hold.
 * @throws ConfigInvalid when a newer program wrote the catalog; InfrastructureFailed when a migration fails
 */
export async function migrateCatalog(db: CatalogDb, location: string): Promise<void> {
  const done = await namesDone(db);
  const unknown = done.filter((name) => !(name in migrations));
  if (unknown.length > 0) {
    throw new ConfigInvalid(`The catalog ${location} was written by a newer Millrace.`, {
      hint: 'Update this installation, or point it at another catalog.',
      fields: { unknown },
    });
  }
  if (done.length === Object.keys(migrations).length) return;
  const { error } = await new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    migrationTableName: table,
    migrationLockTableName: `${table}_lock`,
  }).migrateToLatest();
  if (error === undefined) return;
  throw new InfrastructureFailed(`The catalog ${location} could not be brought up to date.`, {
    hint: 'It is as it was before; see the cause.',
    cause: error,
  });
}

async function namesDone(db: CatalogDb): Promise<readonly string[]> {
  const tables = await db.introspection.getTables();
  if (!tables.some(({ name }) => name === table)) return [];
  const rows = await (db as unknown as Kysely<Record<typeof table, { name: string }>>)
    .selectFrom(table)
    .select('name')
    .execute();
  return rows.map(({ name }) => name);
}
