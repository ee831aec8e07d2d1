import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { sql } from 'kysely';
import { InvalidInput } from '../../sdk/errors.js';
import type { CatalogDb } from '../catalog/tables.js';
import type { TableName } from './backup-format.js';
import type { DumpedTable } from './dump-table.js';

type Row = Record<string, unknown>;

const rowsAtOnce = 200;

/** Checks that a table's file is as it was written. @throws InvalidInput naming the file */
export async function checkTable(file: string, expected: DumpedTable): Promise<void> {
  const hash = createHash('sha256');
  let rows = 0;
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) rows += 1;
    }
  } catch (cause) {
    throw damaged(file, cause);
  }
  if (hash.digest('hex') !== expected.sha256 || rows !== expected.rows) throw damaged(file);
}

/** Inserts a table's rows into an empty one. */
export async function loadTable(
  db: CatalogDb,
  name: TableName,
  { file, signal }: { readonly file: string; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  let batch: Row[] = [];
  const write = async (): Promise<void> => {
    signal?.throwIfAborted();
    if (batch.length > 0) await db.insertInto(name).values(batch).execute();
    batch = [];
  };
  for await (const line of lines(file)) {
    batch.push(JSON.parse(line) as Row);
    if (batch.length === rowsAtOnce) await write();
  }
  await write();
}

export async function countRows(db: CatalogDb, name: TableName): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(name)}`.execute(db);
  return rows[0]?.count ?? 0;
}

const damaged = (file: string, cause?: unknown): InvalidInput =>
  new InvalidInput(`The backup is damaged: ${file} is not as it was written.`, {
    hint: 'Use another copy of the backup.',
    fields: { file },
    cause,
  });

/** Not readline: it takes U+2028, which JSON does not escape, for the end of a line. */
async function* lines(file: string): AsyncIterable<string> {
  let rest = '';
  for await (const chunk of createReadStream(file, 'utf8') as AsyncIterable<string>) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}
