import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseConnection, Dialect, QueryResult, SqliteDatabase, TransactionSettings } from 'kysely';
import { CompiledQuery, SqliteAdapter, SqliteDialect, SqliteDriver } from 'kysely';
import Database from 'libsql';
import { InfrastructureFailed } from '../sdk/errors.js';
import { withoutNul } from './without-nul.js';

/** SQLite waits this long inside a call, which stops the event loop; beyond it we wait outside. */
const busyTimeoutMs = 5;
/** No writer of ours holds the file for longer than a few milliseconds. */
const patienceMs = 30_000;

const keptStatements = 200;

const pragmas = [
  `pragma busy_timeout = ${busyTimeoutMs}`,
  'pragma journal_mode = wal',
  'pragma synchronous = normal',
  'pragma foreign_keys = on',
];

/**
 * Everything that is SQLite's own. The file may be open in many processes: transactions take the write lock when they begin,
 * so none has to give up half-way, and a lock held by another process is waited for without stopping the event loop.
 */
export function sqliteDialect(path: string): Dialect {
  const config = {
    database: async () => {
      await mkdir(dirname(path), { recursive: true });
      return keepStatements(new Database(path));
    },
    onCreateConnection: async (connection: DatabaseConnection) => {
      for (const pragma of pragmas) {
        await patiently(path, () => connection.executeQuery(CompiledQuery.raw(pragma)));
      }
    },
  };
  const dialect = new SqliteDialect(config);
  return {
    createAdapter: () => new TransactionalAdapter(),
    createDriver: () => new PatientDriver(path, config),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
  };
}

/**
 * Prepares each text once and keeps the statements used last. More than speed: a statement that found the file locked stays
 * in progress until it is run again or collected, and while it does no transaction can commit.
 */
function keepStatements(database: SqliteDatabase): SqliteDatabase {
  const kept = new Map<string, ReturnType<SqliteDatabase['prepare']>>();
  return {
    close: () => database.close(),
    prepare(sql) {
      const statement = kept.get(sql) ?? database.prepare(sql);
      kept.delete(sql);
      kept.set(sql, statement);
      const oldest = kept.keys().next();
      if (kept.size > keptStatements && !oldest.done) kept.delete(oldest.value);
      return statement;
    },
  };
}

/** Lets the migrator run in one transaction, which is its lock too. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class PatientDriver extends SqliteDriver {
  readonly #path: string;

  constructor(path: string, config: ConstructorParameters<typeof SqliteDriver>[0]) {
    super(config);
    this.#path = path;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return patientConnection(this.#path, await super.acquireConnection());
  }

  override async beginTransaction(
    connection: DatabaseConnection,
    { accessMode }: TransactionSettings = {},
  ): Promise<void> {
    // Who only reads sees one moment of the file, and holds up nobody.
    await connection.executeQuery(
      CompiledQuery.raw(accessMode === 'read only' ? 'begin' : 'begin immediate'),
    );
  }
}

const patientConnection = (path: string, connection: DatabaseConnection): DatabaseConnection => ({
  // A statement that found the file locked has done nothing and can be tried again as it is.
  executeQuery: <R>(query: CompiledQuery): Promise<QueryResult<R>> =>
    patiently(path, () =>
      connection.executeQuery<R>({ ...query, parameters: query.parameters.map(withoutNul) }),
    ),
  streamQuery: <R>(query: CompiledQuery, size: number) => connection.streamQuery<R>(query, size),
});

async function patiently<R>(path: string, work: () => Promise<R>): Promise<R> {
  const start = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() - start > patienceMs) {
        throw new InfrastructureFailed(`The catalog ${path} stayed locked for ${patienceMs / 1000} s.`, {
          hint: 'See which process holds it open in a transaction (`fuser`), and end that one.',
          cause: error,
        });
      }
    }
    await sleep(2 + Math.random() * 20);
  }
}

// Not SQLITE_BUSY_SNAPSHOT: that statement would fail again, and immediate transactions do not meet it.
const busyCodes: readonly unknown[] = ['SQLITE_BUSY', 'SQLITE_BUSY_RECOVERY', 'SQLITE_BUSY_TIMEOUT'];
const isBusy = (error: unknown): boolean =>
  busyCodes.includes((error as { readonly code?: unknown } | null)?.code);
