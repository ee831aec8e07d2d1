import { randomUUID } from 'node:crypto';
import { bareQueue, startBenchHost } from './bench-host.js';
import { executedSoFar } from './executed.js';
import { median, report, timed } from './report.js';

const steps = 50;

/** A run of 50 steps whose results are all cached, per step, against as many bare activities. */
export async function cachedSteps(rounds: number): Promise<void> {
  await using host = await startBenchHost();
  const run = async () => (await host.client.start('cached', { steps, from: 0 })).result();
  await run();
  const ours: number[] = [];
  const floor: number[] = [];
  let executed = 0;
  for (let round = -1; round < rounds; round++) {
    const bare = await timed(() =>
      host.temporal.workflow.execute('bare', {
        workflowId: randomUUID(),
        taskQueue: bareQueue,
        args: [{ steps, from: round * steps }],
      }),
    );
    const before = executedSoFar();
    const time = await timed(run);
    if (round < 0) continue;
    floor.push(bare / steps);
    ours.push(time / steps);
    executed += executedSoFar() - before;
  }
  report({
    bench: 'store',
    case: 'cached-50',
    unit: 'ms',
    value: median(ours),
    floor: median(floor),
    executed,
  });
}
