import { setTimeout as pause } from 'node:timers/promises';
import { isClosed } from '../../sdk/states.js';
import { waitFor } from '../support/wait-for.js';
import { collectWorld, leftovers } from './collect-world.js';
import { inject, partOf } from './inject.js';
import type { FaultKind, Plan, PlannedFault, PlannedRun } from './plan.js';
import type { Stage } from './stage.js';
import type { World } from './world.js';

export type RunPlanOptions = {
  readonly plan: Plan;
  readonly stage: Stage;
  /** Longest time of one wave, ms. */
  readonly waveMs: number;
  readonly say: (text: string) => void;
};

export type PlanRun = {
  readonly world: World;
  /** Faults that happened. */
  readonly happened: Readonly<Partial<Record<FaultKind, number>>>;
};

/** The sweep of a worker comes by every 20 s, and a killed worker's needs two looks. */
const sweptWithinMs = 90_000;

/** Lets all of it happen and looks at what is left. */
export async function runPlan({ plan, stage, waveMs, say }: RunPlanOptions): Promise<PlanRun> {
  const happened: Partial<Record<FaultKind, number>> = {};
  for (const [index, { runs, faults }] of plan.waves.entries()) {
    const from = performance.now();
    say(`wave ${index + 1} of ${plan.waves.length}: ${runs.map(({ id }) => id).join(', ')}`);
    const lanes = new Map<string, Promise<void>>();
    const inLane = async (fault: PlannedFault): Promise<void> => {
      await pause(fault.atMs);
      const before = lanes.get(partOf(fault)) ?? Promise.resolve();
      const done = before.then(async () => {
        say(`  ${seconds(from)} ${describe(fault)}`);
        if (await inject(fault, stage)) happened[fault.kind] = (happened[fault.kind] ?? 0) + 1;
        else say(`  ${seconds(from)} came too late: ${describe(fault)}`);
      });
      lanes.set(partOf(fault), done);
      await done;
    };
    await Promise.all([
      ...runs.map((run) => throughRun(run, { stage, waveMs, say, from })),
      ...faults.map(inLane),
    ]);
  }
  await waitFor(async () => (await leftovers(stage)).length === 0, {
    what: 'everything to be swept',
    timeoutMs: sweptWithinMs,
    intervalMs: 1_000,
  }).catch(() => say('something is still there'));
  return {
    world: await collectWorld(
      plan.waves.flatMap(({ runs }) => runs),
      stage,
    ),
    happened,
  };
}

/** Starts a run and waits for its end, whatever is away meanwhile. One that does not end is found by the checks. */
async function throughRun(
  { id, afterMs, input }: PlannedRun,
  { stage: { client }, waveMs, say, from }: Pick<RunPlanOptions, 'stage' | 'waveMs' | 'say'> & { readonly from: number }, // prettier-ignore
): Promise<void> {
  await pause(afterMs);
  const patience = { timeoutMs: waveMs, intervalMs: 500 };
  try {
    // The same id again is the same run: a start that was not answered may have been one.
    const run = await waitFor(() => client.start('chaos', input, { runId: id }), { ...patience, what: `the start of ${id}` }); // prettier-ignore
    const status = await waitFor(
      async () => {
        const { status } = (await run.view()).run;
        return isClosed(status) && status;
      },
      { ...patience, what: `the end of ${id}` },
    );
    say(`  ${seconds(from)} ${id} ${status}`);
  } catch (error) {
    const { message, cause } = error as Error;
    say(
      `  ${seconds(from)} ${id}: ${message}${cause ? ` (${cause instanceof Error ? cause.message : ''})` : ''}`,
    );
  }
}

const seconds = (from: number): string => `${((performance.now() - from) / 1000).toFixed(1).padStart(5)} s`;

function describe({ kind, atMs: _, ...fields }: PlannedFault): string {
  const said = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
  return [kind, ...said].join(' ');
}
