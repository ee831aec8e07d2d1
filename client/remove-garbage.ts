import { rm } from 'node:fs/promises';
import { statePaths } from '../config/state-paths.js';
import { durationMs } from '../sdk/duration.js';
import type { GarbageReport } from '../store/collect-garbage.js';
import { collectGarbage } from '../store/collect-garbage.js';
import type { MillraceClient } from './client.js';
import type { ClientParts } from './client-parts.js';

/** Collects garbage, and removes what this machine keeps of runs that went: their logs. */
export async function removeGarbage(
  { catalog, store, config }: ClientParts,
  { olderThan, ...options }: Parameters<MillraceClient['collectGarbage']>[0],
): Promise<GarbageReport> {
  const olderThanMs = durationMs(olderThan, 'olderThan');
  const report = await collectGarbage({ catalog, store, olderThanMs, ...options });
  const paths = statePaths(config.stateDir);
  if (!report.dryRun)
    for (const run of report.runs.removed) await rm(paths.logs(run), { recursive: true, force: true });
  return report;
}
