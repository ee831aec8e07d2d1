import type { Kysely } from 'kysely';
import { Migrator } from 'kysely';
import { ConfigInvalid, InfrastructureFailed, isMillraceError } from '../sdk/errors.js';
import type { CatalogDb } from './catalog/tables.js';
import type { Migrations } from './migrations/migrations.js';
import { migrations as all } from './migrations/migrations.js';

const table = 'millrace_migrations';

/**
 * Brings a catalog to this program's form. Several processes may do so at once: only one of them migrates, in one transaction,
 * and the others wait for it.
 * @throws ConfigInvalid when a newer program wrote the catalog; InfrastructureFailed when a migration fails
 */
export async function migrateCatalog(
  db: CatalogDb,
  location: string,
  migrations: Migrations = all,
): Promise<void> {
  const done = await migrationsDone(db);
  refuseNewer(done, { location, migrations });
  if (done.length === Object.keys(migrations).length) return;
  const { error } = await new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    migrationTableName: table,
    migrationLockTableName: `${table}_lock`,
  }).migrateToLatest();
  if (error === undefined) return;
  if (isMillraceError(error)) throw error;
  // A newer program may have come in between.
  refuseNewer(await migrationsDone(db), { location, migrations });
  throw new InfrastructureFailed(`The catalog ${location} could not be brought up to date.`, {
    hint: 'It is as it was before; see the cause.',
    cause: error,
  });
}

/** Names of the migrations that a catalog has been through. */
export async function migrationsDone(db: CatalogDb): Promise<readonly string[]> {
  const tables = await db.introspection.getTables();
  if (!tables.some(({ name }) => name === table)) return [];
  const rows = await (db as unknown as Kysely<Record<typeof table, { name: string }>>)
    .selectFrom(table)
    .select('name')
    .orderBy('name')
    .execute();
  return rows.map(({ name }) => name);
}

function refuseNewer(
  done: readonly string[],
  { location, migrations }: { readonly location: string; readonly migrations: Migrations },
): void {
  const unknown = done.filter((name) => !(name in migrations));
  if (unknown.length === 0) return;
  throw new ConfigInvalid(`The catalog ${location} was written by a newer Millrace.`, {
    hint: 'Update this installation, or point it at another catalog.',
    fields: { unknown },
  });
}
