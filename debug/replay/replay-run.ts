import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { serviceError } from '../../client/temporal-errors.js';
import { UnknownRun } from '../../sdk/errors.js';
import type { Catalog, RunRecord } from '../../store/catalog.js';
import type { DebugEnvironment } from '../debug-environment.js';
import { buildAside } from './build-aside.js';
import type { CheckBuild } from './build-aside.js';
import type { HistoryReplay, RunHistory } from './replay-histories.js';
import { replayHistories } from './replay-histories.js';
import { waitForDebugger } from './wait-for-debugger.js';

export type RunReplay = HistoryReplay & Pick<RunRecord, 'pipeline' | 'build' | 'status'>;

export type ReplayReport = {
  /** Whether all of them replay. */
  readonly ok: boolean;
  /** The build that the project makes today. */
  readonly build: string;
  /** The run, and the child runs that it started. */
  readonly runs: readonly RunReplay[];
};

export type ReplayOptions = {
  /** Where to wait for a debugger before the replay begins. */
  readonly inspect?: { readonly host: string; readonly port: number };
  readonly onInspect?: (url: string) => void;
};

/** Replays a run and its child runs on the code of today. @throws UnknownRun, TemporalUnavailable, BuildFailed */
export async function replayRun(
  env: DebugEnvironment,
  run: string,
  { inspect, onInspect = () => undefined }: ReplayOptions = {},
): Promise<ReplayReport> {
  const runs = await treeOf(run, env.catalog);
  const { client } = await env.temporal();
  await using build = await buildAside(env.config);
  const replays = replayRuns(runs, { build, client, store: env.store });
  // After the build, which would only be in the way of who steps through the replay.
  if (inspect) waitForDebugger(inspect, onInspect);
  const found: RunReplay[] = [];
  for await (const replay of replays) found.push(replay);
  return { ok: found.every(({ divergence }) => !divergence), build: build.record.id, runs: found };
}

/** Replays the histories of runs on a build, one after the other. */
export async function* replayRuns(
  runs: readonly RunRecord[],
  {
    build: { record, workflowCode },
    client,
    store,
  }: Pick<DebugEnvironment, 'store'> & {
    readonly build: Pick<CheckBuild, 'record' | 'workflowCode'>;
    readonly client: Client;
  },
): AsyncIterable<RunReplay> {
  const names = new Set(record.pipelines.map(({ name }) => name));
  const known = runs.filter(({ pipeline }) => names.has(pipeline));
  const byId = new Map(runs.map((run) => [run.id, run]));
  for (const run of runs)
    if (!names.has(run.pipeline)) yield { ...about(run), ...withoutPipeline(run, record.id) };
  for await (const replay of replayHistories(historiesOf(known, client), { workflowCode, store })) {
    const run = byId.get(replay.run);
    if (run) yield { ...about(run), ...replay };
  }
}

const about = ({ pipeline, build, status }: RunRecord) => ({ pipeline, build, status });

function withoutPipeline({ id, pipeline }: RunRecord, build: string): HistoryReplay {
  const what = `The build ${build} has no pipeline \`${pipeline}\`.`;
  const divergence = { has: `a run of \`${pipeline}\``, asked: 'has no such pipeline', what, details: what };
  return { run: id, events: 0, divergence };
}

async function* historiesOf(runs: readonly RunRecord[], client: Client): AsyncIterable<RunHistory> {
  for (const { id: workflowId } of runs) {
    try {
      yield { workflowId, history: await client.workflow.getHandle(workflowId).fetchHistory() };
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw serviceError(error);
      throw new UnknownRun('The Temporal service has no history of this run.', {
        run: workflowId,
        hint: 'It keeps those of closed runs for the retention of its namespace.',
        cause: error,
      });
    }
  }
}

/** A run and those below it. @throws UnknownRun */
async function treeOf(id: string, catalog: Catalog): Promise<readonly RunRecord[]> {
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  const children = await catalog.runs({ parent: id, limit: 10_000 });
  return [run, ...(await Promise.all(children.map((child) => treeOf(child.id, catalog)))).flat()];
}
