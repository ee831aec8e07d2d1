import { startRecoveryHost } from './recovery-host.js';
import { report } from './report.js';
import { until } from './until.js';

const steps = 4;

/** Containers that two hosts started beyond one a step while all their workers were deployed, one after the other. */
export async function deployRestarts(rounds: number): Promise<void> {
  let restarts = 0;
  let executed = 0;
  await using host = await startRecoveryHost();
  const workers = [await host.startWorker(0), await host.startWorker(1)];
  for (let round = 0; round < rounds; round += 1) {
    const run = await host.client.start('training', { steps, ticks: 200 });
    const seen = new Set<string>();
    const look = async () => {
      for (const { Id } of await host.containers(run.id)) seen.add(Id);
      return seen.size;
    };
    await until(async () => (await look()) === steps, { what: 'the trainings' });
    const over = new AbortController();
    const watching = until(async () => (await look(), over.signal.aborted), { what: 'the end', withinMs: 300_000 }); // prettier-ignore
    for (const index of workers.keys()) {
      await workers[index]?.drain();
      workers[index] = await host.startWorker(index);
    }
    await run.result();
    over.abort();
    await watching;
    const attempts = (await run.view()).steps.flatMap((step) => step.attempts);
    executed += steps;
    restarts += Math.max(seen.size, attempts.length) - steps;
  }
  report({ bench: 'recovery', case: 'deploy-restarts', unit: 'restarts', value: restarts, limit: 0, executed }); // prettier-ignore
}
