import { isClosed } from '../../sdk/states.js';
import type { Time } from '../catalog.js';
import { parts } from './columns.js';
import type { CatalogDb } from './tables.js';

/** Trees of runs that closed before a time and that no model needs; and how many runs stay. */
export async function doomedTrees(
  db: CatalogDb,
  before: Time,
): Promise<{ readonly doomed: readonly (readonly string[])[]; readonly kept: number }> {
  const runs = await db.selectFrom('runs').select(['id', 'parent_run', 'status', 'closed_at']).execute();
  const rootOf = roots(runs);
  const trees = new Map<string, string[]>();
  const staying = new Set<string>();
  for (const { id, status, closed_at } of runs) {
    const root = rootOf(id);
    trees.set(root, [...(trees.get(root) ?? []), id]);
    if (!isClosed(status) || closed_at === null || closed_at >= before) staying.add(root);
  }
  for (const root of await treesOfModels(db, trees, rootOf)) staying.add(root);
  const doomed = [...trees].flatMap(([root, ids]) => (staying.has(root) ? [] : [ids]));
  return { doomed, kept: runs.length - doomed.flat().length };
}

type Parent = { readonly id: string; readonly parent_run: string | null };

/** The topmost run there is of each run's tree. */
function roots(runs: readonly Parent[]): (id: string) => string {
  const parents = new Map(runs.map(({ id, parent_run }) => [id, parent_run]));
  return (id) => {
    let root = id;
    for (let parent = parents.get(root); parent && parents.has(parent); parent = parents.get(root))
      root = parent;
    return root;
  };
}

/**
 * Trees that registered a version or moved an alias, and those that made what went into them, as far back as it goes: what a
 * model was made from can be asked as long as there is the model.
 */
async function treesOfModels(
  db: CatalogDb,
  trees: ReadonlyMap<string, readonly string[]>,
  rootOf: (id: string) => string,
): Promise<ReadonlySet<string>> {
  const versions = await db.selectFrom('model_versions').select('run').distinct().execute();
  const aliases = await db.selectFrom('alias_changes').select('run').distinct().execute();
  const found = new Set<string>();
  let frontier = [...versions, ...aliases].map(({ run }) => rootOf(run));
  while (frontier.length > 0) {
    for (const root of frontier) found.add(root);
    const makers = await makersOfInputs(
      db,
      frontier.flatMap((root) => trees.get(root) ?? []),
    );
    frontier = [...new Set(makers.map(rootOf))].filter((root) => !found.has(root));
  }
  return found;
}

/** For each content that the runs took in, the run that made it first. */
async function makersOfInputs(db: CatalogDb, runs: readonly string[]): Promise<readonly string[]> {
  const digests = new Set<string>();
  for (const part of parts(runs)) {
    const rows = await db
      .selectFrom('artifacts')
      .select('digest')
      .distinct()
      .where('run', 'in', part)
      .where('direction', '=', 'input')
      .execute();
    for (const { digest } of rows) digests.add(digest);
  }
  const first = new Map<string, { readonly run: string; readonly at: string }>();
  for (const part of parts([...digests])) {
    const rows = await db
      .selectFrom('artifacts')
      .select(['run', 'digest', 'at'])
      .where('digest', 'in', part as readonly `sha256:${string}`[])
      .where('direction', '=', 'output')
      .execute();
    for (const row of rows) {
      const known = first.get(row.digest);
      if (!known || row.at < known.at) first.set(row.digest, row);
    }
  }
  return [...first.values()].map(({ run }) => run);
}
