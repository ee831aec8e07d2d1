import type { Client } from '@temporalio/client';
import { reconcileRun } from '../../client/reconcile.js';
import type { RunRecord } from '../../store/catalog.js';
import type { DebugEnvironment } from '../debug-environment.js';
import type { AsideBuild } from './build-aside.js';
import { buildAside } from './build-aside.js';
import { fixedImages } from './fixed-images.js';
import type { RunReplay } from './replay-run.js';
import { replayRuns } from './replay-run.js';

/**
 * What becomes of an open run on the new code. `clean`: it may go on with it. `stays`: its history fits, but not what was fixed at
 * its start. `breaks`: code and history part. `same`: it runs on this build already.
 */
export type RunVerdict = 'same' | 'clean' | 'stays' | 'breaks';

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
  /** Called for each run when it is known. */
  readonly onRun?: (run: CheckedRun) => void;
};

/** Replays all open runs of the queue on the project as it is now. @throws TemporalUnavailable, BuildFailed */
export async function checkRuns(
  env: DebugEnvironment,
  { onRun = () => undefined }: CheckOptions = {},
): Promise<CheckReport> {
  const { client } = await env.temporal();
  await using build = await buildAside(env.config);
  const runs: CheckedRun[] = [];
  for await (const run of checkEach(await openRuns(env), { build, client, env })) {
    onRun(run);
    runs.push(run);
  }
  const order = new Map((await env.catalog.openRuns(env.config.queue)).map(({ id }, index) => [id, index]));
  return {
    ok: runs.every(({ verdict }) => verdict !== 'breaks'),
    build: build.record.id,
    runs: runs.sort((a, b) => (order.get(a.run) ?? 0) - (order.get(b.run) ?? 0)),
  };
}

export async function* checkEach(
  runs: readonly RunRecord[],
  {
    build,
    client,
    env,
  }: { readonly build: AsideBuild; readonly client: Client; readonly env: DebugEnvironment },
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
        : await fixedImages(run, { catalog: env.catalog, store: env.store, next: build });
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
