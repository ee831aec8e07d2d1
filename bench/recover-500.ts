import type { BenchHost } from './bench-host.js';
import { executedSoFar } from './executed.js';
import { median, report, timed } from './report.js';

const steps = 500;
const failing: ReadonlySet<number> = new Set([7, 250, 499]);

/** Recovering a run of 500 steps of which three failed: how long its plan takes, and how many steps run then. */
export async function recover500({ client }: BenchHost, rounds: number): Promise<void> {
  const bench = globalThis as { millraceBenchFailing?: ReadonlySet<number> | undefined };
  const plans: number[] = [];
  let executed = 0;
  for (let round = -1; round < rounds; round++) {
    bench.millraceBenchFailing = failing;
    const former = await client.start('fanned', { steps });
    await former.result().catch(() => undefined);
    bench.millraceBenchFailing = undefined;
    const plan = await timed(() => client.recover(former.id, { plan: true }));
    const before = executedSoFar();
    const { run } = await client.recover(former.id);
    await run?.result();
    if (round < 0) continue;
    plans.push(plan / 1_000);
    executed = Math.max(executed, executedSoFar() - before);
  }
  report({ bench: 'recovery', case: 'recover-500', unit: 's', value: median(plans), limit: 5, executed });
}
