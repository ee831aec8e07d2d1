import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import type { Digest } from '../../sdk/artifact.js';
import { isMillraceError } from '../../sdk/errors.js';
import type { ArtifactStore } from '../artifact-store.js';
import { snapshot } from '../catalog/snapshot.js';
import type { CatalogDb } from '../catalog/tables.js';
import { eachLimited } from '../each-limited.js';
import { migrationsDone } from '../migrate-catalog.js';
import { openArtifactStore } from '../open-artifact-store.js';
import type { BackupManifest } from './backup-format.js';
import { backupFormat, backupPaths, tableNames } from './backup-format.js';
import { copyBlob, listedBy } from './copy-blob.js';
import type { DumpedTable, Mentions } from './dump-table.js';
import { dumpTable } from './dump-table.js';

export type BackupProgress = {
  /** Blobs looked at so far, and those known of: it grows while trees are found. */
  readonly done: number;
  readonly of: number;
};

export type BackupOptions = {
  readonly db: CatalogDb;
  readonly store: ArtifactStore;
  readonly folder: string;
  readonly onProgress?: (progress: BackupProgress) => void;
  readonly signal?: AbortSignal | undefined;
};

export type BackupDone = BackupManifest & {
  /** Blobs that were not in the folder yet. */
  readonly copied: number;
};

const blobsAtOnce = 4;

/**
 * Writes the catalog as it stands, then all content it reaches, while workers go on. A folder that has an older backup is brought
 * up to date: what lies in it is not copied again. One that was interrupted goes on where it was.
 */
export async function writeBackup({
  db,
  store,
  folder,
  onProgress,
  signal,
}: BackupOptions): Promise<BackupDone> {
  const paths = backupPaths(folder);
  // From here on what lies there is not whole.
  await rm(paths.manifest, { force: true });
  await rm(paths.temporary, { recursive: true, force: true });
  await mkdir(paths.catalog, { recursive: true });
  await mkdir(paths.temporary);
  const at = new Date().toISOString();
  const mentions: Mentions = { content: new Set(), anywhere: new Set() };
  const { migrations, tables } = await snapshot(db, async (trx) => {
    const dumped: Record<string, DumpedTable> = {};
    for (const name of tableNames)
      dumped[name] = await dumpTable(trx, name, { file: paths.table(name), mentions, signal });
    return { migrations: [...(await migrationsDone(trx))], tables: dumped };
  });

  const backup = await openArtifactStore(`file:${paths.artifacts}`);
  const lacking: Digest[] = [];
  const kept = new Set<Digest>();
  let copied = 0;
  let next = new Set([...mentions.content, ...mentions.anywhere]);
  for (const seen = new Set<Digest>(); next.size > 0;) {
    const found = new Set<Digest>();
    for (const digest of next) seen.add(digest);
    let done = seen.size - next.size;
    const copy = async (digest: Digest): Promise<void> => {
      const options = { from: store, to: backup, temporary: paths.temporary, signal };
      const result = await copyBlob(digest, options).catch(orCorrupt);
      if (result === 'copied') copied += 1;
      if (result === 'copied' || result === 'there') {
        kept.add(digest);
        // What only begins like a manifest, or is bad in the backup itself, lists nothing.
        const parts = await listedBy(digest, options).catch((error: unknown) => (orCorrupt(error), []));
        for (const part of parts) if (!seen.has(part)) found.add(part);
      } else if (result === 'corrupt' || !mentions.anywhere.has(digest) || mentions.content.has(digest)) {
        // Any text may mention a digest that is no content of ours: an image's.
        lacking.push(digest);
      }
      onProgress?.({ done: ++done, of: seen.size + found.size });
    };
    await eachLimited([...next], copy, { limit: blobsAtOnce, signal });
    next = found;
  }
  await rm(paths.temporary, { recursive: true, force: true });

  const manifest: BackupManifest = {
    format: backupFormat,
    at,
    migrations,
    tables,
    content: { ...(await writeContent(paths.content, kept)), bytes: await bytesOf(backup, kept) },
    lacking: lacking.sort(),
  };
  await writeWhole(paths.manifest, `${JSON.stringify(manifest, null, 2)}\n`);
  return { ...manifest, copied };
}

/** Content that is damaged must not keep all the rest from being saved. */
function orCorrupt(error: unknown): 'corrupt' {
  if (isMillraceError(error) && ['ARTIFACT_CORRUPT', 'ARTIFACT_MISSING'].includes(error.code))
    return 'corrupt';
  throw error;
}

async function writeContent(path: string, kept: ReadonlySet<Digest>): Promise<DumpedTable> {
  const text = [...kept]
    .sort()
    .map((digest) => `${digest}\n`)
    .join('');
  await writeWhole(path, text);
  return { rows: kept.size, sha256: createHash('sha256').update(text).digest('hex') };
}

async function bytesOf(store: ArtifactStore, kept: ReadonlySet<Digest>): Promise<number> {
  let bytes = 0;
  for await (const { digest, size } of store.blobs()) if (kept.has(digest)) bytes += size;
  return bytes;
}

async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.partial`;
  {
    await using file = await open(draft, 'w');
    await file.writeFile(text);
    await file.sync();
  }
  await rename(draft, path);
}
