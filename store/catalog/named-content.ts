import type { Selectable } from 'kysely';
import type { ContentType, Digest } from '../../sdk/artifact.js';
import { walkArtifacts } from '../../sdk/artifact.js';
import { isStoredValue } from '../../sdk/stored-value.js';
import type { StepSpec } from '../../sdk/step-spec.js';
import type { GarbagePlan, KeepReason, NamedContent } from '../garbage-catalog.js';
import { keepReasons } from '../garbage-catalog.js';
import { fromJson, parts } from './columns.js';
import type { CatalogDb, CatalogTables } from './tables.js';

type Named = { readonly digest: Digest; readonly type: ContentType };
type Found = Map<Digest, { readonly type: ContentType; readonly reason: KeepReason }>;

/** All content that rows name, each with the strongest reason. Whatever names content in a table of its own belongs here too. */
export async function namedContent(
  db: CatalogDb,
  { trees = [], builds = [] }: Partial<Pick<GarbagePlan, 'trees' | 'builds'>> = {},
): Promise<NamedContent> {
  const found: Found = new Map();
  const goneRuns = new Set(trees.flat());
  const goneBuilds = new Set(builds.map(({ id, queue }) => JSON.stringify([queue, id])));
  note(found, 'model', await contentOfModels(db));
  note(
    found,
    'run',
    await contentOfRuns(
      db,
      (await everyRun(db)).filter((run) => !goneRuns.has(run)),
    ),
  );
  // A result that may be taken although the rows of its maker were lost.
  const cached = await db.selectFrom('cache_entries').select(['run', 'output']).execute();
  const takeable = cached.filter(({ run }) => !goneRuns.has(run)).map(({ output }) => ({ output }));
  note(found, 'run', jsonTexts(takeable).flatMap(namedByJson));
  const rows = await db.selectFrom('builds').selectAll().execute();
  note(
    found,
    'build',
    contentOfBuilds(rows.filter(({ id, queue }) => !goneBuilds.has(JSON.stringify([queue, id])))),
  );
  return found;
}

export function byDigest(reason: KeepReason, content: readonly Named[]): NamedContent {
  const found: Found = new Map();
  note(found, reason, content);
  return found;
}

function note(found: Found, reason: KeepReason, content: readonly Named[]): void {
  for (const { digest, type } of content) {
    const known = found.get(digest);
    const stronger = !known || keepReasons.indexOf(reason) < keepReasons.indexOf(known.reason);
    // The same content may be a file to one and a folder's manifest to another: then what the manifest lists stays.
    const wider = known?.type === 'tree' ? 'tree' : type;
    if (stronger || wider !== known.type)
      found.set(digest, { type: wider, reason: stronger ? reason : known.reason });
  }
}

/** Also those whose own row was lost. */
async function everyRun(db: CatalogDb): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const { id } of await db.selectFrom('runs').select('id').execute()) found.add(id);
  for (const table of [
    'steps',
    'attempts',
    'artifacts',
    'gates',
    'approvals',
    'run_content',
    'checkpoints',
    'log_chunks',
  ] as const)
    for (const { run } of await db.selectFrom(table).select('run').distinct().execute()) found.add(run);
  return [...found];
}

/** What runs took in, made, logged, held, and what their JSON names. */
export async function contentOfRuns(db: CatalogDb, runs: readonly string[]): Promise<readonly Named[]> {
  const found = new Map<Digest, Named>();
  const add = (named: Named) => {
    if (found.get(named.digest)?.type !== 'tree') found.set(named.digest, named);
  };
  for (const part of parts(runs)) {
    for (const table of ['artifacts', 'run_content'] as const) {
      const rows = await db
        .selectFrom(table)
        .select(['digest', 'type'])
        .distinct()
        .where('run', 'in', part)
        .execute();
      for (const { digest, type } of rows) add({ digest, type });
    }
    const logs = await db.selectFrom('attempts').select('log').distinct().where('run', 'in', part).execute();
    for (const { log } of logs) if (log !== null) add({ digest: log, type: 'file' });
    const chunks = await db.selectFrom('log_chunks').select('digest').where('run', 'in', part).execute();
    for (const { digest } of chunks) add({ digest, type: 'file' });
    const checkpoints = await db
      .selectFrom('checkpoints')
      .select('digest')
      .distinct()
      .where('run', 'in', part)
      .execute();
    for (const { digest } of checkpoints) add({ digest, type: 'tree' });
    for (const json of await jsonOfRuns(db, part)) for (const named of namedByJson(json)) add(named);
  }
  return [...found.values()];
}

async function jsonOfRuns(db: CatalogDb, runs: readonly string[]): Promise<readonly string[]> {
  const rows: readonly Readonly<Record<string, string | null>>[] = [
    ...(await db.selectFrom('runs').select(['input', 'output']).where('id', 'in', runs).execute()),
    ...(await db.selectFrom('steps').select(['input', 'output']).where('run', 'in', runs).execute()),
    ...(await db.selectFrom('gates').select('evidence').where('run', 'in', runs).execute()),
    ...(await db.selectFrom('approvals').select(['of', 'evidence']).where('run', 'in', runs).execute()),
  ];
  return jsonTexts(rows);
}

async function contentOfModels(db: CatalogDb): Promise<readonly Named[]> {
  const rows = await db.selectFrom('model_versions').select(['model', 'evidence']).execute();
  return jsonTexts(rows).flatMap(namedByJson);
}

const jsonTexts = (rows: readonly Readonly<Record<string, string | null>>[]): readonly string[] =>
  rows.flatMap(
    (row) => Object.values(row).filter((json) => json !== null && json.includes('sha256:')) as string[],
  );

export const contentOfBuilds = (
  rows: readonly Pick<Selectable<CatalogTables['builds']>, 'workflow_bundle' | 'node_bundle' | 'steps'>[],
): readonly Named[] =>
  rows.flatMap(({ workflow_bundle, node_bundle, steps }) => [
    { digest: workflow_bundle, type: 'file' } as const,
    { digest: node_bundle, type: 'file' } as const,
    ...fromJson<readonly StepSpec[]>(steps).flatMap(({ source, code, imageContext }) =>
      [source, code, imageContext].flatMap((content) => (content ? [content] : [])),
    ),
  ]);

function namedByJson(json: string): readonly Named[] {
  const found: Named[] = [];
  const value: unknown = fromJson<unknown>(json);
  if (isStoredValue(value)) found.push({ digest: value.$value, type: 'file' });
  walkArtifacts(value, (ref) => found.push(ref));
  return found;
}
