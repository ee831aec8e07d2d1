import type { Client } from '@temporalio/client';
import { reconcileRun } from '../../client/reconcile.js';
import type { RunRecord } from '../../store/catalog.js';
import type { DebugEnvironment } from '../debug-environment.js';
import type { CheckBuild } from './build-aside.js';
import { buildAside, buildToKeep } from './build-aside.js';
import { fixedImages } from './fixed-images.js';
import { liveContainers } from './live-containers.js';
import { moveRuns } from './move-runs.js';
import type { RunReplay } from './replay-run.js';
import { replayRuns } from './replay-run.js';

/**
 * What becomes of an open run on the new code. `clean`: it may go on with it. `stays`: its history fits, but not what was fixed at
 * its start, or it could not be moved. `breaks`: code and history part. `same`: it runs on this build already. `moved`: now it does.
 */
export type RunVerdict = 'same' | 'clean' | 'stays' | 'breaks' | 'moved';

export type CheckedRun = RunReplay & {
  readonly verdict: RunVerdict;
  /** Why it stays, one sentence. */
  readonly reason?: string;
};

export type CheckReport = {
  /** Whether no run breaks. */
  readonly ok: boolean;
  /** The build that the project makes today. */
  readonly build: string;
  /** Open runs, child runs too, the oldest first. */
  readonly runs: readonly CheckedRun[];
};

export type CheckOptions = {
  /**
   * Whether runs that replay cleanly go on with the new code from now on. Its build is stored for that; new runs start on it when
   * it is deployed. Needs a worker.
   */
  readonly move?: boolean;
  /** How long workers may take to serve the new code, ms. Default 60 s. */
  readonly withinMs?: number;
  /** Called for each run when it is known. */
  readonly onRun?: (run: CheckedRun) => void;
};

/** Replays all open runs of the queue on the project as it is now. @throws TemporalUnavailable, BuildFailed */
export async function checkRuns(
  env: DebugEnvironment,
  { move = false, withinMs, onRun = () => undefined }: CheckOptions = {},
): Promise<CheckReport> {
  const { client } = await env.temporal();
  await using build = await (move ? buildToKeep(env) : buildAside(env.config));
  const open = await openRuns(env);
  const found = new Map<string, CheckedRun>();
  const note = (run: CheckedRun) => {
    found.set(run.run, run);
    onRun(run);
  };
  const clean: CheckedRun[] = [];
  for await (const run of checkEach(open, { build, client, env })) {
    if (move && run.verdict === 'clean') clean.push(run);
    else note(run);
  }
  const records = open.filter(({ id }) => clean.some(({ run }) => run === id));
  const moving =
    records.length > 0 ? moveRuns(records, { build, env, ...(withinMs !== undefined && { withinMs }) }) : [];
  for await (const [id, end] of moving) {
    const run = clean.find((each) => each.run === id);
    if (!run) continue;
    if (end.moved) note({ ...run, verdict: 'moved' });
    else if (end.divergence)
      note({ ...run, verdict: 'breaks', divergence: end.divergence, reason: end.reason });
    else note({ ...run, verdict: 'stays', reason: end.reason });
  }
  const runs = open.flatMap(({ id }) => found.get(id) ?? []);
  return { ok: runs.every(({ verdict }) => verdict !== 'breaks'), build: build.record.id, runs };
}

export async function* checkEach(
  runs: readonly RunRecord[],
  {
    build,
    client,
    env,
  }: { readonly build: CheckBuild; readonly client: Client; readonly env: DebugEnvironment },
): AsyncIterable<CheckedRun> {
  const byId = new Map(runs.map((run) => [run.id, run]));
  const others = runs.filter(({ build: own }) => own !== build.record.id);
  for (const { id: run, pipeline, build: own, status } of runs)
    if (own === build.record.id)
      yield { run, pipeline, build: own, status, events: 0, divergence: undefined, verdict: 'same' };
  for await (const replay of replayRuns(others, { build, client, store: env.store })) {
    const run = byId.get(replay.run);
    const reason =
      replay.divergence || !run
        ? undefined
        : ((await fixedImages(run, { catalog: env.catalog, store: env.store, next: build })) ??
          (await liveContainers(run, { catalog: env.catalog, next: build.record })));
    const verdict = replay.divergence ? 'breaks' : reason === undefined ? 'clean' : 'stays';
    yield { ...replay, verdict, ...(reason !== undefined && { reason }) };
  }
}

/** As the service knows them: one that has just ended is no open run. */
async function openRuns({ catalog, config, temporal }: DebugEnvironment): Promise<readonly RunRecord[]> {
  const { client, service } = await temporal();
  for (const run of await catalog.openRuns(config.queue))
    await reconcileRun(run, { temporal: client, service, catalog });
  // Another namespace's are not ours to ask for.
  return (await catalog.openRuns(config.queue)).filter(
    (run) => run.service === undefined || service === undefined || run.service === service,
  );
}
