import { startRecoveryHost } from './recovery-host.js';
import { median, report, timed } from './report.js';
import { until } from './until.js';

/** From the repair of a parked step until its container runs; floor: the start of a container of the same image by hand. */
export async function repairToRunning(rounds: number): Promise<void> {
  const ours: number[] = [];
  const floor: number[] = [];
  await using host = await startRecoveryHost();
  await host.startWorker(0);
  for (let round = -1; round < rounds; round += 1) {
    const run = await host.client.start('mending', {});
    await until(async () => (await run.view()).steps[0]?.status === 'parked', { what: 'the step to be parked' }); // prettier-ignore
    const repaired = await timed(async () => {
      await run.repair('fragile', { do: 'retry', input: { works: true } });
      await until(async () => (await host.containers(run.id)).some(({ State }) => State === 'running'), { what: 'its container' }); // prettier-ignore
    });
    await run.result();
    const bare = await host.docker.createContainer({ Image: 'busybox:latest', Cmd: ['sleep', '5'], HostConfig: { NetworkMode: 'none' } }); // prettier-ignore
    const started = await timed(() => bare.start());
    await bare.remove({ force: true });
    // The first warms up what both use.
    if (round < 0) continue;
    ours.push(repaired / 1000);
    floor.push(started / 1000);
  }
  const least = median(floor);
  report({ bench: 'recovery', case: 'repair-to-running', unit: 's', value: median(ours), floor: least, limit: 2 + least, executed: ours.length }); // prettier-ignore
}
