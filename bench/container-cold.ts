import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { createDockerExecutor } from '../activities/executors/docker-executor.js';
import type { Execution } from '../activities/executors/executor.js';
import { packageRoot } from '../config/package-root.js';
import { image } from '../sdk/image.js';
import { contract } from '../sdk/step-contract.js';
import { step, STEP } from '../sdk/step.js';
import { median, report, timed } from './report.js';

const installation = 'bench';

/** A busybox step from the executor's call to its result, against `docker run --rm` of the same. */
export async function containerCold(rounds: number): Promise<void> {
  const executor = createDockerExecutor();
  const signal = new AbortController().signal;
  const resolved = await executor.resolve(
    { image: image('busybox:latest'), requirements: undefined, context: undefined },
    { signal },
  );
  const { spec } = step({
    name: 'cold',
    image: 'busybox:latest',
    command: ['true'],
    input: z.object({}),
    output: z.object({}),
  })[STEP];
  const root = await mkdtemp(path.join(tmpdir(), 'millrace-bench-'));
  const ours: number[] = [];
  const floor: number[] = [];
  let executed = 0;
  try {
    for (let round = -1; round < rounds; round++) {
      const folder = path.join(root, String(round + 1));
      await layOut(folder);
      const execution: Execution = {
        installation, run: 'bench', step: 'cold', attempt: round + 2, key: String(round),
        spec: { ...spec, source: undefined, code: undefined, imageContext: undefined, cache: undefined, logic: undefined },
        image: resolved, command: () => ['true'], folder, source: undefined, code: undefined, helper: path.join(packageRoot(), 'sdk/python'),
        log: path.join(folder, 'log'), secrets: [],
      }; // prettier-ignore
      const since = Date.now();
      const time = await timed(async () => {
        const { exitCode } = await executor.execute(execution, { signal, takeUp: false });
        await executor.release(execution);
        if (exitCode !== 0) throw new Error(`The step ended with ${exitCode}.`);
      });
      const bare = await timed(() => dockerRun());
      if (round < 0) continue;
      ours.push(time);
      floor.push(bare);
      executed += await startedSince(since);
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  report({
    bench: 'overhead',
    case: 'container-cold',
    unit: 'ms',
    value: median(ours),
    floor: median(floor),
    executed,
  });
}

async function layOut(folder: string): Promise<void> {
  for (const name of [contract.inputs, contract.outputs, contract.checkpoint])
    await mkdir(path.join(folder, name), { recursive: true });
  await writeFile(path.join(folder, contract.input), '{}');
  await writeFile(path.join(folder, contract.events), '');
}

/** Containers of ours that the engine says it started. */
async function startedSince(since: number): Promise<number> {
  const filters = ['event=start', `label=millrace.installation=${installation}`];
  const { stdout } = await promisify(execFile)('docker', [
    'events',
    `--since=${since / 1000}`,
    `--until=${Date.now() / 1000}`,
    ...filters.map((filter) => `--filter=${filter}`),
    '--format={{.ID}}',
  ]);
  return new Set(stdout.split('\n').filter(Boolean)).size;
}

async function dockerRun(): Promise<void> {
  const child = spawn('docker', ['run', '--rm', '--network', 'none', 'busybox:latest', 'true'], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`docker run ended with ${code}.`);
}
