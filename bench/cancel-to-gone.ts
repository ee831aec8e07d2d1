import { startRecoveryHost } from './recovery-host.js';
import { median, report, timed } from './report.js';
import { until } from './until.js';

/** What a program gets between SIGTERM and SIGKILL, s. */
const grace = 10;

/** From the cancel of a run until there is no container of it, for a program that does not listen to SIGTERM. */
export async function cancelToGone(rounds: number): Promise<void> {
  const samples: number[] = [];
  await using host = await startRecoveryHost();
  await host.startWorker(0);
  for (let round = 0; round < rounds; round += 1) {
    const run = await host.client.start('holding', {});
    await until(async () => (await host.containers(run.id)).some(({ State }) => State === 'running'), { what: 'its container' }); // prettier-ignore
    const gone = await timed(async () => {
      await run.cancel();
      await until(async () => (await host.containers(run.id)).length === 0, { what: 'it to be gone' });
    });
    samples.push(gone / 1000);
  }
  report({ bench: 'recovery', case: 'cancel-to-gone', unit: 's', value: median(samples), limit: grace + 2, executed: samples.length }); // prettier-ignore
}
