import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { startBenchHost } from './bench-host.js';
import { executedSoFar } from './executed.js';
import { report } from './report.js';

const live = 200;
const settleMs = 5_000;
const measuredMs = 20_000;

/** What steps cost that only run: the processor time of worker and service, in ms a second, and that of neither running any. */
export async function heartbeats(): Promise<void> {
  await using host = await startBenchHost();
  const idle = await processorTime(host.servicePid);
  const before = executedSoFar();
  const run = await host.client.start('waiting', { steps: live });
  while (executedSoFar() - before < live) await pause(100);
  const busy = await processorTime(host.servicePid);
  for (const name of ['worker', 'service'] as const)
    report({
      bench: 'heartbeats',
      case: `${name}-cpu-${live}`,
      unit: 'ms',
      value: busy[name],
      floor: idle[name],
      executed: live,
      against: 'no step, a second',
    });
  await run.cancel({ by: 'bench' });
  await run.result().catch(() => undefined);
}

async function processorTime(
  service: number,
): Promise<{ readonly worker: number; readonly service: number }> {
  await pause(settleMs);
  const from = { worker: process.cpuUsage(), service: await ticksOf(service), at: performance.now() };
  await pause(measuredMs);
  const seconds = (performance.now() - from.at) / 1000;
  const { user, system } = process.cpuUsage(from.worker);
  return {
    worker: (user + system) / 1000 / seconds,
    service: (((await ticksOf(service)) - from.service) * 10) / seconds,
  };
}

/** Processor time of a process in hundredths of a second. */
async function ticksOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
