import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '../../sdk/artifact.js';
import { digestPattern } from '../../sdk/artifact.js';
import { ConfigInvalid, InvalidInput, isMillraceError } from '../../sdk/errors.js';
import type { ArtifactStore } from '../artifact-store.js';
import type { CatalogDb } from '../catalog/tables.js';
import { eachLimited } from '../each-limited.js';
import { migrations } from '../migrations/migrations.js';
import { openArtifactStore } from '../open-artifact-store.js';
import type { BackupManifest, TableName } from './backup-format.js';
import { backupPaths, manifestSchema, tableNames } from './backup-format.js';
import { copyBlob } from './copy-blob.js';
import { checkTable, countRows, loadTable } from './load-table.js';
import type { BackupProgress } from './write-backup.js';

export type RestoreOptions = {
  readonly db: CatalogDb;
  /** Where the catalog is, for messages. */
  readonly location: string;
  readonly store: ArtifactStore;
  readonly folder: string;
  /** Restores what is whole of a backup that has damaged content. Default false: nothing of the catalog is written then. */
  readonly partial?: boolean;
  readonly onProgress?: (progress: BackupProgress) => void;
  readonly signal?: AbortSignal | undefined;
};

export type RestoreDone = {
  readonly at: string;
  readonly rows: number;
  readonly blobs: number;
  /** Blobs that the store did not have. */
  readonly copied: number;
  /** Digests of content that is damaged or missing in the backup. */
  readonly damaged: readonly Digest[];
  /** Digests that the backup never had. */
  readonly lacking: readonly string[];
};

const blobsAtOnce = 4;

/**
 * Puts a backup's content into the store, then its rows into the catalog, which must be empty: all of them or none. What was
 * interrupted goes on where it was.
 * @throws InvalidInput for no backup, a damaged one, or a catalog that holds something; ConfigInvalid for one of a newer program
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreDone> {
  const { db, location, store, folder, partial = false, onProgress, signal } = options;
  const paths = backupPaths(folder);
  const manifest = await readManifest(folder);
  await refuseFull(db, location);
  const names = tableNames.filter((name) => manifest.tables[name]);
  for (const name of names) await checkTable(paths.table(name), rowsOf(manifest, name));

  const backup = await openArtifactStore(`file:${paths.artifacts}`);
  // Beside the backup where that can be written, so that its content can be linked.
  const temporary = await mkdir(paths.temporary, { recursive: true }).then(
    () => paths.temporary,
    () => mkdtemp(join(tmpdir(), 'millrace-restore-')),
  );
  await checkTable(paths.content, manifest.content);
  const all = (await readFile(paths.content, 'utf8')).split('\n').filter(isDigest);
  const damaged: Digest[] = [];
  let copied = 0;
  try {
    let done = 0;
    const copy = async (digest: Digest): Promise<void> => {
      try {
        const result = await copyBlob(digest, { from: backup, to: store, temporary, signal });
        if (result === 'copied') copied += 1;
        if (result === 'missing') damaged.push(digest);
      } catch (error) {
        if (!isMillraceError(error) || error.code !== 'ARTIFACT_CORRUPT') throw error;
        damaged.push(digest);
      }
      onProgress?.({ done: ++done, of: all.length });
    };
    await eachLimited(all, copy, { limit: blobsAtOnce, signal });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  if (damaged.length > 0 && !partial) throw incomplete(folder, damaged.sort());

  await db.transaction().execute(async (trx) => {
    await refuseFull(trx, location);
    for (const name of names) {
      await loadTable(trx, name, { file: paths.table(name), signal });
      const found = await countRows(trx, name);
      if (found !== rowsOf(manifest, name).rows)
        throw new Error(`${name} has ${found} rows after the restore, not ${rowsOf(manifest, name).rows}`);
    }
  });
  return {
    at: manifest.at,
    rows: names.reduce((sum, name) => sum + rowsOf(manifest, name).rows, 0),
    blobs: all.length,
    copied,
    damaged,
    lacking: manifest.lacking,
  };
}

async function readManifest(folder: string): Promise<BackupManifest> {
  const text = await readFile(backupPaths(folder).manifest, 'utf8').catch((cause: unknown) => {
    throw new InvalidInput(`${folder} holds no finished backup.`, {
      hint: 'Name the folder that `millrace backup` was given; where that was interrupted, call it again.',
      cause,
    });
  });
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw new InvalidInput(`${backupPaths(folder).manifest} is not of a backup that this version reads.`, {
      hint: 'Update this installation, or use another backup.',
    });
  const unknown = [
    ...parsed.data.migrations.filter((name) => !(name in migrations)),
    ...Object.keys(parsed.data.tables).filter((name) => !tableNames.includes(name as TableName)),
  ];
  if (unknown.length > 0)
    throw new ConfigInvalid(`The backup ${folder} was written by a newer Millrace.`, {
      hint: 'Update this installation.',
      fields: { unknown },
    });
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isDigest = (text: string): text is Digest => digestPattern.test(text);

const rowsOf = ({ tables }: BackupManifest, name: TableName) => tables[name] ?? { rows: 0, sha256: '' };

async function refuseFull(db: CatalogDb, location: string): Promise<void> {
  for (const name of tableNames) {
    if ((await countRows(db, name)) === 0) continue;
    throw new InvalidInput(`The catalog ${location} is not empty: its table ${name} has rows.`, {
      hint: 'Restore into a new one: point `catalog` (MILLRACE_CATALOG) elsewhere, and start workers afterwards.',
      fields: { table: name },
    });
  }
}

const incomplete = (folder: string, damaged: readonly Digest[]): InvalidInput =>
  new InvalidInput(
    `The backup ${folder} is damaged: ${damaged.length === 1 ? `${damaged[0]} is` : `${damaged.length} of its contents are`} missing or not as they were written. The catalog was left empty.`,
    { hint: 'Use another copy of it, or `--partial` to restore what is whole.', fields: { damaged } },
  );
