import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { MillraceClient } from '../../client/client.js';
import type { RunView } from '../../client/views.js';
import type { Config } from '../../config/config.js';
import { statePaths } from '../../config/state-paths.js';
import type { ArtifactRef } from '../../sdk/artifact.js';
import { walkArtifacts } from '../../sdk/artifact.js';
import { catalogLocation } from '../../store/open-catalog-database.js';

/** Where everything of a demo lies. */
export type Places = {
  readonly state: string;
  readonly catalog: string;
  readonly artifacts: string;
  readonly logs: string;
  readonly workerLog: string;
  /** Reports of the run as files, by the evidence's name for them. */
  readonly reports: Readonly<Record<string, string>>;
};

export type PlacesOptions = {
  readonly config: Config;
  readonly client: Pick<MillraceClient, 'download'>;
  readonly workerLog: string;
};

/** Brings the reports that were shown to the approver out of the store, to be opened; says where the rest lies. */
export async function demoPlaces(
  view: RunView,
  { config, client, workerLog }: PlacesOptions,
): Promise<Places> {
  const folder = path.join(config.stateDir, 'runs', view.run.id);
  const found = new Map<string, ArtifactRef>();
  for (const { evidence } of [...view.gates, ...view.approvals]) {
    walkArtifacts(evidence, (ref, keys) => {
      if (ref.$artifact === 'report') found.set(keys.join('-'), ref);
    });
  }
  const reports: Record<string, string> = {};
  for (const [name, ref] of found)
    reports[name] = await bringOut(ref, path.join(folder, path.basename(name)), client);
  return {
    state: config.stateDir,
    catalog: catalogLocation(config.catalog),
    artifacts: config.store,
    logs: statePaths(config.stateDir).logs(view.run.id),
    workerLog,
    reports,
  };
}

/** A tree becomes the folder itself, a file one inside it. @returns the path to open */
async function bringOut(
  ref: ArtifactRef,
  folder: string,
  client: Pick<MillraceClient, 'download'>,
): Promise<string> {
  const target = ref.type === 'tree' ? folder : path.join(folder, path.basename(ref.name) || 'report');
  // A demo that was gone on with has brought it out before.
  if (existsSync(target)) return target;
  await mkdir(path.dirname(target), { recursive: true });
  await client.download(ref, target);
  return target;
}
