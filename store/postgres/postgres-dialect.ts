import type { DataTypeNode, Dialect, Kysely } from 'kysely';
import { PostgresAdapter, PostgresDialect, PostgresQueryCompiler, sql } from 'kysely';
import { postgresPool } from './postgres-pool.js';
import type { PostgresPlace } from './postgres-url.js';

/** Everything that is PostgreSQL's own, so that a catalog there is the same as one in an SQLite file. */
export function postgresDialect(place: PostgresPlace): Dialect {
  const dialect = new PostgresDialect({ pool: async () => postgresPool(place) });
  return {
    createAdapter: () => new MigratingAdapter(),
    createDriver: () => dialect.createDriver(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => new ByteOrderCompiler(),
  };
}

/** Columns of text sort by their bytes, whatever the database's locale: as SQLite has it. */
class ByteOrderCompiler extends PostgresQueryCompiler {
  protected override visitDataType(node: DataTypeNode): void {
    super.visitDataType(node);
    if (node.dataType === 'text' && this.parentNode?.kind === 'ColumnDefinitionNode')
      this.append(' collate "C"');
  }
}

const migrationLock = 7_230_112_358;

/** Workers that start at once migrate one after the other; one that hangs in it holds the others up for a minute at most. */
class MigratingAdapter extends PostgresAdapter {
  override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
    await sql`
      with waiting as (select set_config('lock_timeout', '60s', true))
      select pg_advisory_lock(${sql.lit(migrationLock)}) from waiting`.execute(db);
  }

  override async releaseMigrationLock(db: Kysely<unknown>): Promise<void> {
    await sql`select pg_advisory_unlock(${sql.lit(migrationLock)})`.execute(db);
  }
}
