import type { Selectable } from 'kysely';
import type { ArtifactRecord } from '../catalog.js';
import { excluded, lastByKey, parts } from './columns.js';
import type { CatalogDb, CatalogTables } from './tables.js';

/** A later attempt's artifact takes the place of an earlier one's. */
export async function upsertArtifacts(trx: CatalogDb, edges: readonly ArtifactRecord[]): Promise<void> {
  for (const part of parts(edges)) {
    const rows = part.map(({ run, path, direction, field, artifact, at }) => ({
      run,
      path,
      direction,
      field,
      kind: artifact.$artifact,
      digest: artifact.digest,
      type: artifact.type,
      size: artifact.size,
      name: artifact.name,
      at,
    }));
    await trx
      .insertInto('artifacts')
      .values([...lastByKey(rows, (row) => JSON.stringify([row.run, row.path, row.direction, row.field]))])
      .onConflict((conflict) =>
        conflict
          .columns(['run', 'path', 'direction', 'field'])
          .doUpdateSet(excluded(['kind', 'digest', 'type', 'size', 'name', 'at'])),
      )
      .execute();
  }
}

/** What a run read and made, oldest first. */
export async function artifactsOf(db: CatalogDb, run: string): Promise<readonly ArtifactRecord[]> {
  const rows = await db
    .selectFrom('artifacts')
    .selectAll()
    .where('run', '=', run)
    .orderBy('at')
    .orderBy('path')
    .orderBy('direction')
    .orderBy('field')
    .execute();
  return rows.map(toEdge);
}

export const toEdge = ({
  run,
  path,
  direction,
  field,
  kind,
  digest,
  type,
  size,
  name,
  at,
}: Selectable<CatalogTables['artifacts']>): ArtifactRecord => ({
  run,
  path,
  direction,
  field,
  artifact: { $artifact: kind, digest, type, size, name },
  at,
});
