import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ArtifactRef } from '../sdk/artifact.js';
import type { RecoveryHost } from './recovery-host.js';
import { startRecoveryHost } from './recovery-host.js';
import { median, report } from './report.js';
import { until } from './until.js';

const ticks = 400;
const tickSeconds = 0.1;

/**
 * kill -9 of the worker that has a training, while one of another host lives; then it is started again and takes the training up.
 * `worker-lost-noticed`: until the catalog says no longer that the step runs there. `adoption-lost-time`: what the training itself
 * lost, longest pause and repeated ticks, from what it wrote down.
 */
export async function workerLost(
  rounds: number,
  name: 'worker-lost-noticed' | 'adoption-lost-time',
): Promise<void> {
  const samples: { readonly noticed: number; readonly lost: number }[] = [];
  await using host = await startRecoveryHost();
  let first = await host.startWorker(0);
  for (let round = 0; round < rounds; round += 1) {
    const run = await host.client.start('training', { steps: 1, ticks });
    const step = async () => (await run.view()).steps[0];
    await until(async () => (await step())?.status === 'running', { what: 'the training' });
    await until(async () => (await host.containers(run.id)).length === 1, { what: 'its container' });
    const second = await host.startWorker(1);
    await first.kill();
    const died = performance.now();
    await until(async () => (await step())?.status !== 'running', { what: 'the death to be noticed' });
    const noticed = (performance.now() - died) / 1000;
    first = await host.startWorker(0);
    const [made] = (await run.result()) as readonly ArtifactRef[];
    const attempts = (await step())?.attempts ?? [];
    if (attempts.length !== 1 || !made) throw new Error(`The training took ${attempts.length} attempts.`);
    samples.push({ noticed, lost: await lostSeconds(host, made) });
    await second.drain();
  }
  const values = samples.map(({ noticed, lost }) => (name === 'adoption-lost-time' ? lost : noticed));
  const limit = name === 'adoption-lost-time' ? 1 : 20;
  report({ bench: 'recovery', case: name, unit: 's', value: median(values), limit, executed: samples.length }); // prettier-ignore
}

async function lostSeconds({ client }: RecoveryHost, made: ArtifactRef): Promise<number> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-bench-'));
  try {
    const file = path.join(folder, 'ticks');
    await client.download(made, file);
    const said = (await readFile(file, 'utf8')).trim().split('\n').map((line) => line.split(' ').map(Number)); // prettier-ignore
    const times = said.map(([, at = 0]) => at);
    const pauses = times.slice(1).map((at, index) => at - (times[index] ?? at));
    const repeated = said.length - ticks;
    return Math.max(0, Math.max(...pauses) - tickSeconds) + Math.max(0, repeated) * tickSeconds;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
