import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { stepProcesses } from '../../../activities/executors/process-leftovers.js';
import { createClient } from '../../../client/index.js';
import { loadConfig } from '../../../config/load-config.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startCli } from '../../support/run-cli.js';
import { writeProject } from '../../support/start-millrace.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'package.json': '{"name":"death","type":"module"}',
  'slow.steps.ts': `
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { step } from 'millrace';
import { z } from 'zod';
export const slow = step({ name: 'slow', isolation: 'process', input: z.object({ marker: z.string() }), output: z.object({ attempt: z.number(), resumed: z.boolean() }) },
  async ({ marker }, { attempt, checkpoint }) => {
    const saved = checkpoint + '/epoch';
    const resumed = existsSync(saved);
    writeFileSync(saved, 'one');
    if (attempt === 1) { writeFileSync(marker, 'running'); await pause(600_000); }
    return { attempt, resumed };
  });`,
  'slow.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { slow } from './slow.steps.js';
export const lasting = pipeline({ name: 'lasting', input: z.object({ marker: z.string() }) }, async (input) => slow(input));`,
};

async function projectWith(given: Readonly<Record<string, string>>) {
  const project = await temporaryFolder();
  await writeProject(project, given);
  const temporal = await startTemporal();
  const env = {
    TEMPORAL_ADDRESS: temporal.address,
    MILLRACE_EXECUTOR: 'process',
    MILLRACE_QUEUE: path.basename(project),
  };
  const config = await loadConfig({ cwd: project, env });
  const client = await createClient({ config });
  releaseAtEnd(() => client[Symbol.asyncDispose]());
  const startWorker = async () => {
    const worker = await startCli(['worker', '--cwd', project], { env });
    releaseAtEnd(() => worker[Symbol.asyncDispose]());
    return worker;
  };
  return { project, config, client, startWorker };
}

describeWith({ temporal: true }, 'the death of a worker', () => {
  test("is shown within 20 s, costs none of the author's attempts, and another worker goes on from the checkpoint", async () => {
    const { project, config, client, startWorker } = await projectWith(files);
    const first = await startWorker();
    await waitFor(() => client.currentBuild(), { what: 'the first worker', timeoutMs: 60_000 });
    const marker = path.join(project, 'marker');
    const run = await client.start('lasting', { marker });
    await waitFor(async () => (await readdir(project)).includes('marker'), { what: 'the step to run' });
    first.kill('SIGKILL');
    const died = Date.now();

    const seen = await waitFor(
      async () => (await run.view()).steps.find(({ status }) => status === 'retrying'),
      { what: 'the truth', timeoutMs: 40_000 },
    );
    expect(Date.now() - died).toBeLessThan(20_000);
    // Whether it is lost its own host will say, which may have its process still.
    expect(seen.detail).toBe('its worker fell silent; waits for a worker');

    const second = await startWorker();
    expect(await run.result()).toEqual({ attempt: 2, resumed: true });
    expect((await run.view()).steps).toMatchObject([{ path: 'slow', status: 'completed', attempts: [{ attempt: 2, status: 'completed' }, { attempt: 1, status: 'lost' }] }]); // prettier-ignore
    await waitFor(() => stepProcesses(config.installation).then((left) => left.length === 0), {
      what: 'the orphan to be swept',
      timeoutMs: 40_000,
    });
    second.kill('SIGTERM');
    expect((await second.ended).exitCode).toBe(0);
  });
});
