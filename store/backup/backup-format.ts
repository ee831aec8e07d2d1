import { join } from 'node:path';
import { z } from 'zod';
import type { CatalogTables } from '../catalog/tables.js';

/** What lies where in a backup's folder (docs/backup.md). */
export const backupPaths = (folder: string) => ({
  /** Written last: a folder without it is no backup, or one that was not finished. */
  manifest: join(folder, 'backup.json'),
  catalog: join(folder, 'catalog'),
  table: (name: string) => join(folder, 'catalog', `${name}.jsonl`),
  /** Digests of the content that belongs to it, one a line, sorted. */
  content: join(folder, 'content.txt'),
  artifacts: join(folder, 'artifacts'),
  temporary: join(folder, 'tmp'),
});

export const backupFormat = 'millrace-backup/1';

export type BackupManifest = z.infer<typeof manifestSchema>;

export const manifestSchema = z.object({
  format: z.literal(backupFormat),
  /** When the catalog was read, ISO 8601. */
  at: z.string(),
  /** Names of the migrations the catalog had been through. */
  migrations: z.array(z.string()),
  tables: z.record(z.string(), z.object({ rows: z.number(), sha256: z.string() })),
  content: z.object({ rows: z.number(), sha256: z.string(), bytes: z.number() }),
  /** Digests that the catalog names and the store did not have, or had with other bytes. */
  lacking: z.array(z.string()),
});

/** All but leases and hosts: who computed what at that moment, and where, is nobody's after a restore. */
export type TableName = Exclude<keyof CatalogTables, 'cache_leases' | 'hosts'>;

/**
 * Every table with its key, those that others refer to first: in this order rows are written and read, so that the same catalog
 * gives the same bytes on any database.
 */
export const tableKeys = {
  builds: ['id', 'queue'],
  runs: ['id'],
  moves: ['run'],
  run_tags: ['run', 'key'],
  steps: ['run', 'path'],
  attempts: ['run', 'path', 'attempt'],
  metrics: ['run', 'path', 'attempt', 'name', 'point'],
  artifacts: ['run', 'path', 'direction', 'field'],
  gates: ['run', 'path'],
  approvals: ['run', 'path'],
  model_versions: ['name', 'version'],
  alias_changes: ['name', 'alias', 'change'],
  cache_entries: ['key'],
  cache_uses: ['run', 'path'],
  timeline: ['run', 'path', 'at', 'attempt', 'kind'],
  checkpoints: ['run', 'path', 'attempt', 'sequence'],
  log_chunks: ['run', 'path', 'attempt', 'sequence'],
  outbox_receivers: ['name'],
  outbox: ['receiver', 'position'],
  run_content: ['run', 'digest'],
} as const satisfies Readonly<Record<TableName, readonly string[]>>;

export const tableNames = Object.keys(tableKeys) as readonly TableName[];
