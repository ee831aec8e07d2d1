import type { Digest } from '../../sdk/artifact.js';
import type { ContentCatalog, ContentFilter } from '../content-catalog.js';
import type { ArtifactRecord } from '../catalog.js';
import { toEdge } from './artifact-rows.js';
import { parts } from './columns.js';
import type { CatalogDb } from './tables.js';

export const contentRows = (db: CatalogDb): ContentCatalog => ({
  find: (filter) => findContent(db, filter),
  edges: (digest) => edgesOf(db, [digest]),
  beginning: (start, limit) => digestsBeginning(db, start, limit),
});

async function findContent(
  db: CatalogDb,
  { run, step, kind, name, limit = 50 }: ContentFilter,
): Promise<readonly ArtifactRecord[]> {
  let query = db
    .selectFrom('artifacts')
    .select(({ fn }) => ['digest', fn.max('at').as('last')])
    .groupBy('digest')
    .orderBy('last', 'desc')
    .orderBy('digest')
    .limit(limit);
  if (run !== undefined) query = query.where('run', '=', run);
  if (step !== undefined) query = query.where('path', '=', step);
  if (kind !== undefined) query = query.where('kind', '=', kind);
  if (name !== undefined) query = query.where('name', '=', name);
  const digests = (await query.execute()).map(({ digest }) => digest);
  const order = new Map(digests.map((digest, index) => [digest, index]));
  const edges = await edgesOf(db, digests);
  return [...edges].sort((a, b) => (order.get(a.artifact.digest) ?? 0) - (order.get(b.artifact.digest) ?? 0));
}

async function edgesOf(db: CatalogDb, digests: readonly Digest[]): Promise<readonly ArtifactRecord[]> {
  const found: ArtifactRecord[] = [];
  for (const part of parts(digests)) {
    const rows = await db
      .selectFrom('artifacts')
      .selectAll()
      .where('digest', 'in', part)
      .orderBy('at')
      .orderBy('run')
      .orderBy('path')
      .orderBy('field')
      .execute();
    found.push(...rows.map(toEdge));
  }
  return found;
}

async function digestsBeginning(db: CatalogDb, start: string, limit: number): Promise<readonly Digest[]> {
  // Not `like`, which no index helps with: digests are hexadecimal, so all that begin so lie between these two.
  const from = start as Digest;
  const to = `${start}g` as Digest;
  const found = new Set<Digest>();
  for (const table of ['artifacts', 'run_content'] as const) {
    const rows = await db
      .selectFrom(table)
      .select('digest')
      .distinct()
      .where('digest', '>=', from)
      .where('digest', '<', to)
      .limit(limit)
      .execute();
    for (const { digest } of rows) found.add(digest);
  }
  const logs = await db
    .selectFrom('attempts')
    .select('log')
    .distinct()
    .where('log', '>=', from)
    .where('log', '<', to)
    .limit(limit)
    .execute();
  for (const { log } of logs) if (log !== null) found.add(log);
  return [...found].sort().slice(0, limit);
}
