import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { labelNames } from '../../activities/executors/container-options.js';
import { stepProcesses } from '../../activities/executors/process-leftovers.js';
import { secretsPrefix, secretsRoot } from '../../activities/executors/secret-files.js';
import type { LogLine, MillraceClient } from '../../client/index.js';
import { createClient } from '../../client/index.js';
import { connectTemporal } from '../../client/temporal-connection.js';
import type { Config } from '../../config/config.js';
import { deliveryPlace } from '../../sdk/protocol/activity-id.js';
import type { RunStatus } from '../../sdk/states.js';
import type { AttemptRecord, Catalog } from '../../store/catalog.js';
import { openArtifactStore } from '../../store/open-artifact-store.js';
import { openCatalog } from '../../store/open-catalog.js';
import { valuesByReference } from '../../store/values-by-reference.js';
import type { PlannedRun } from './plan.js';
import { chaosSecret, type Stage } from './stage.js';
import type { RunFacts, World } from './world.js';

/** Asks catalog, Temporal, engine and disk what has become of the runs. */
export async function collectWorld(planned: readonly PlannedRun[], stage: Stage): Promise<World> {
  const { hosts, address, containers } = stage;
  const [config] = hosts;
  if (!config) throw new Error('No host.');
  const store = await openArtifactStore(config.store, config);
  await using catalog = valuesByReference(await openCatalog(config.catalog), store);
  await using temporal = await connectTemporal(config, { address, values: { store, catalog } });
  // Logs as another machine sees them: none of this host's files are there.
  await using elsewhere = await createClient({
    config: { ...config, stateDir: path.join(config.stateDir, 'elsewhere') },
    address,
  });
  const runs: RunFacts[] = [];
  for (const { id } of planned)
    runs.push(await runFacts(id, { elsewhere, catalog, client: temporal.client }));
  const model = await catalog.model('chaos');
  const history = await catalog.aliasHistory('chaos', 'champion');
  return {
    planned,
    runs,
    versions: (model?.versions ?? []).map(({ version, run, model }) => ({ version, run, model: model.digest })), // prettier-ignore
    changes: history.map(({ run, version }) => ({ run, version })).reverse(),
    containers: containers.seen(),
    outages: stage.outages,
    absences: stage.absences,
    leftovers: await leftovers(stage),
    secret: chaosSecret,
  };
}

type Sources = {
  readonly elsewhere: MillraceClient;
  readonly catalog: Catalog;
  readonly client: Client;
};

async function runFacts(id: string, { elsewhere, catalog, client }: Sources): Promise<RunFacts> {
  const known = await catalog.run(id);
  const handle = client.workflow.getHandle(id);
  const described = await handle.describe().catch((error: unknown) => {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  });
  const attempts = await catalog.attempts(id);
  const lines = new Map<string, string[]>();
  for await (const line of elsewhere.run(id).logs()) {
    if (isOwn(line)) lines.set(placeOf(line), [...(lines.get(placeOf(line)) ?? []), line.text]);
  }
  return {
    id,
    catalog: known?.status,
    temporal: described && (described.status.name.toLowerCase() as RunStatus),
    output: known?.output,
    failure: known?.failure && `${known.failure.code}: ${known.failure.what}`,
    steps: (await catalog.steps(id)).map(({ path: step, kind, status }) => ({
      path: step,
      kind,
      status,
      attempts: attempts
        .filter((each) => each.path === step)
        .map((each) => ({
          attempt: each.attempt,
          status: each.status,
          end: endOf(each),
          time: { from: Date.parse(each.startedAt), until: Date.parse(each.closedAt ?? each.startedAt) },
          lines: lines.get(placeOf(each)) ?? [],
        })),
    })),
    activities: described ? await completedSteps(handle) : [],
  };
}

const placeOf = ({ path: step, attempt }: Pick<AttemptRecord, 'path' | 'attempt'>): string =>
  `${step} ${attempt}`;

/** What a shell or Millrace says of an end from outside stands in `err`. */
const isOwn = ({ stream }: LogLine): boolean => stream === 'out';

const endOf = ({ status, exitCode, failure }: AttemptRecord): 'by design' | 'otherwise' =>
  status === 'failed' && (exitCode === 3 || failure?.code === 'OUT_OF_MEMORY') ? 'by design' : 'otherwise';

async function completedSteps(handle: WorkflowHandle): Promise<readonly string[]> {
  const { events } = await handle.fetchHistory();
  const scheduled = new Map<string, string>();
  const completed = new Set<string>();
  for (const event of events ?? []) {
    const { activityId, activityType } = event.activityTaskScheduledEventAttributes ?? {};
    if (activityId && !activityType?.name?.startsWith('millrace.'))
      scheduled.set(String(event.eventId), deliveryPlace(activityId).path);
    const done = event.activityTaskCompletedEventAttributes?.scheduledEventId;
    const step = done ? scheduled.get(String(done)) : undefined;
    if (step !== undefined) completed.add(step);
  }
  return [...completed];
}

/** What should not be there when no run is open, by name. */
export async function leftovers({ hosts, containers, temporary }: Stage): Promise<readonly string[]> {
  const found = await Promise.all(hosts.map((host) => leftoversOf(host, containers)));
  return [...found.flat(), ...(await below(temporary, 'millrace-', 'temporary folder'))];
}

async function leftoversOf(
  { installation, stateDir }: Config,
  { docker }: Stage['containers'],
): Promise<readonly string[]> {
  const filters = { label: [`${labelNames.installation}=${installation}`] };
  const found = await docker.listContainers({ all: true, filters });
  return [
    ...found.map(({ Id, Labels, State }) => `container ${Id.slice(0, 12)} (${State}) of ${Labels[labelNames.run]} ${Labels[labelNames.step]} attempt ${Labels[labelNames.attempt]}`), // prettier-ignore
    ...(await stepProcesses(installation)).map(({ pid, run, step }) => `process ${pid} of ${run} ${step}`),
    ...(await below(path.join(stateDir, 'work'), 'chaos-', 'working folder')),
    ...(await below(secretsRoot(), secretsPrefix(installation), 'folder of secrets')),
  ];
}

const below = async (folder: string, prefix: string, what: string): Promise<readonly string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(prefix)).map((name) => `${what} ${path.join(folder, name)}`); // prettier-ignore
