import type { Selectable } from 'kysely';
import { UnknownModel } from '../../sdk/errors.js';
import type { AliasChange } from '../../sdk/registry.js';
import type { AliasRecord, Catalog, ModelRecord, VersionRecord } from '../catalog.js';
import { fromJson, orAbsent, present, toJson } from './columns.js';
import { exclusive } from './exclusive.js';
import type { CatalogDb, CatalogTables } from './tables.js';

/** The version this step registered, made if it is new. The transaction excludes others about this model: numbers have no gap. */
export const registerVersion = (
  db: CatalogDb,
  version: Parameters<Catalog['registerVersion']>[0],
): Promise<VersionRecord> =>
  exclusive(db, [`model ${version.name}`], async (trx) => {
    const stored = await trx
      .selectFrom('model_versions')
      .selectAll()
      .where('run', '=', version.run)
      .where('path', '=', version.path)
      .executeTakeFirst();
    if (stored) return toVersion(stored);
    const last = await trx
      .selectFrom('model_versions')
      .select(({ fn }) => fn.max('version').as('version'))
      .where('name', '=', version.name)
      .executeTakeFirst();
    const row = {
      name: version.name,
      version: (last?.version ?? 0) + 1,
      model: JSON.stringify(version.model),
      run: version.run,
      path: version.path,
      metrics: JSON.stringify(version.metrics),
      evidence: toJson(version.evidence),
      created_at: version.createdAt,
    };
    await trx.insertInto('model_versions').values(row).execute();
    return toVersion(row);
  });

/** Points the alias; the same step gets the answer it got the first time. */
export const setAlias = (
  db: CatalogDb,
  { run, path, name, version, alias, at }: Parameters<Catalog['setAlias']>[0],
): Promise<AliasChange> =>
  exclusive(db, [`model ${name}`], async (trx) => {
    const stored = await trx
      .selectFrom('alias_changes')
      .selectAll()
      .where('run', '=', run)
      .where('path', '=', path)
      .executeTakeFirst();
    if (stored) return toChange(stored);
    await requireVersion(trx, { name, version });
    const last = await trx
      .selectFrom('alias_changes')
      .select(['change', 'version'])
      .where('name', '=', name)
      .where('alias', '=', alias)
      .orderBy('change', 'desc')
      .limit(1)
      .executeTakeFirst();
    const change = (last?.change ?? 0) + 1;
    const row = { name, alias, change, version, former: last?.version ?? null, run, path, at };
    await trx.insertInto('alias_changes').values(row).execute();
    return toChange(row);
  });

/** Every model with its versions, or the one of this name. */
export async function findModels(db: CatalogDb, name?: string): Promise<readonly ModelRecord[]> {
  let versions = db.selectFrom('model_versions').selectAll().orderBy('name').orderBy('version');
  let changes = db.selectFrom('alias_changes').selectAll().orderBy('alias').orderBy('change');
  if (name !== undefined) {
    versions = versions.where('name', '=', name);
    changes = changes.where('name', '=', name);
  }
  const all = (await versions.execute()).map(toVersion);
  const aliases = (await changes.execute()).map(toAlias);
  return [...new Set(all.map((version) => version.name))].map((model) => ({
    name: model,
    versions: all.filter((version) => version.name === model),
    aliases: current(aliases.filter((alias) => alias.name === model)),
  }));
}

export async function aliasHistory(
  db: CatalogDb,
  name: string,
  alias: string,
): Promise<readonly AliasRecord[]> {
  const rows = await db
    .selectFrom('alias_changes')
    .selectAll()
    .where('name', '=', name)
    .where('alias', '=', alias)
    .orderBy('change', 'desc')
    .execute();
  return rows.map(toAlias);
}

async function requireVersion(
  trx: CatalogDb,
  { name, version }: { readonly name: string; readonly version: number },
): Promise<void> {
  const found = await trx
    .selectFrom('model_versions')
    .select('version')
    .where('name', '=', name)
    .orderBy('version')
    .execute();
  if (found.some((each) => each.version === version)) return;
  const there = found.map((each) => each.version).join(', ');
  throw new UnknownModel(`There is no version ${version} of the model \`${name}\`.`, {
    hint: there ? `Its versions: ${there}.` : 'Nothing is registered under this name: call `register` first.',
    fields: { name, version },
  });
}

/** Changes in order: the last of each alias is where it points. */
const current = (changes: readonly AliasRecord[]): readonly AliasRecord[] => [
  ...new Map(changes.map((change) => [change.alias, change])).values(),
];

export const toVersion = (row: Selectable<CatalogTables['model_versions']>): VersionRecord =>
  present<VersionRecord>({
    name: row.name,
    version: row.version,
    model: fromJson(row.model),
    run: row.run,
    path: row.path,
    metrics: fromJson(row.metrics),
    evidence: fromJson<unknown>(row.evidence),
    createdAt: row.created_at,
  });

type AliasRow = Selectable<CatalogTables['alias_changes']>;

const toAlias = ({ name, alias, version, at, run }: AliasRow): AliasRecord => ({
  name,
  alias,
  version,
  at,
  run,
});

export const toChange = ({ name, alias, version, former }: AliasRow): AliasChange =>
  present<AliasChange>({ name, alias, version, former: orAbsent(former) });
