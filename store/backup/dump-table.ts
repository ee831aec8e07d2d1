import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { sql } from 'kysely';
import type { Digest } from '../../sdk/artifact.js';
import type { CatalogDb } from '../catalog/tables.js';
import type { TableName } from './backup-format.js';
import { tableKeys } from './backup-format.js';

export type DumpedTable = { readonly rows: number; readonly sha256: string };

/** Digests found in rows: those that stand where only content is named, and those in any other text. */
export type Mentions = { readonly content: Set<Digest>; readonly anywhere: Set<Digest> };

type Row = Readonly<Record<string, unknown>>;

const pageRows = 200;
const contentColumns: ReadonlySet<string> = new Set(['digest', 'log', 'workflow_bundle', 'node_bundle']);
const digests = /sha256:[0-9a-f]{64}/g;

/** Writes a table as JSON lines in order of its key, and notes the digests it mentions. */
export async function dumpTable(
  db: CatalogDb,
  name: TableName,
  {
    file,
    mentions,
    signal,
  }: { readonly file: string; readonly mentions: Mentions; readonly signal?: AbortSignal | undefined },
): Promise<DumpedTable> {
  await using to = await open(file, 'w');
  const hash = createHash('sha256');
  let rows = 0;
  for (let page = await readPage(db, name); page.length > 0; page = await readPage(db, name, page.at(-1))) {
    signal?.throwIfAborted();
    const text = page.map((row) => `${JSON.stringify(row)}\n`).join('');
    hash.update(text);
    await to.writeFile(text);
    rows += page.length;
    for (const row of page) note(row, mentions);
    if (page.length < pageRows) break;
  }
  await to.sync();
  return { rows, sha256: hash.digest('hex') };
}

/** The rows that follow `after` in order of the key. */
async function readPage(db: CatalogDb, name: TableName, after?: Row): Promise<readonly Row[]> {
  const keys: readonly string[] = tableKeys[name];
  const columns = sql.join(keys.map((key) => sql.ref(key)));
  const rest = after
    ? sql`where (${columns}) > (${sql.join(keys.map((key) => sql.val(after[key])))})`
    : sql``;
  const query = sql<Row>`select * from ${sql.table(name)} ${rest} order by ${columns} limit ${sql.lit(pageRows)}`;
  return (await query.execute(db)).rows;
}

function note(row: Row, { content, anywhere }: Mentions): void {
  for (const [column, value] of Object.entries(row)) {
    if (typeof value !== 'string') continue;
    for (const [digest] of value.matchAll(digests)) {
      (contentColumns.has(column) ? content : anywhere).add(digest as Digest);
    }
  }
}
