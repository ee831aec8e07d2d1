import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createClient } from '../../../client/index.js';
import { loadConfig } from '../../../config/load-config.js';
import { openLineageRunId } from '../../../lineage/open-lineage/open-lineage-run-id.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { describeWith } from '../../support/describe-with.js';
import { lineageServer } from '../../support/lineage-server.js';
import { openLineageEvent } from '../../support/open-lineage-schema.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { runCli, startCli } from '../../support/run-cli.js';
import { startMillrace, writeProject } from '../../support/start-millrace.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'package.json': '{"name":"lineage","type":"module"}',
  'a.steps.ts': `
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { dataset, step } from 'millrace';
import { z } from 'zod';
export const make = step({ name: 'make', isolation: 'process', input: z.object({ n: z.number() }), output: z.object({ table: dataset() }) },
  async ({ n }, { out }) => { await writeFile(out.table, 'table ' + n); return {}; });
export const use = step({ name: 'use', isolation: 'process', input: z.object({ table: dataset(), marker: z.string().optional() }), output: z.object({ length: z.number() }) },
  async ({ table, marker }, { attempt }) => {
    if (marker && attempt === 1) { await writeFile(marker, 'running'); await pause(600_000); }
    return { length: (await readFile(table.path, 'utf8')).length };
  });
export const fails = step({ name: 'fails', isolation: 'none', input: z.object({}), output: z.object({}) }, () => { throw new Error('on purpose'); });`,
  'a.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { fails, make, use } from './a.steps.js';
export const two = pipeline({ name: 'two', input: z.object({ n: z.number(), marker: z.string().optional() }) }, async ({ n, marker }) => {
  const { table } = await make({ n });
  return use({ table, ...(marker && { marker }) });
});
export const broken = pipeline({ name: 'broken', input: z.object({}) }, async () => fails({}));`,
};

describeWith({ temporal: true }, 'OpenLineage events', () => {
  test('all arrive, in order for each run, though the receiver was away, refused them, and the worker was killed meanwhile', async () => {
    const project = await temporaryFolder();
    await writeProject(project, files);
    const temporal = await startTemporal();
    const server = await lineageServer();
    await server.close();
    const env = {
      TEMPORAL_ADDRESS: temporal.address,
      MILLRACE_EXECUTOR: 'process',
      MILLRACE_QUEUE: path.basename(project),
      MILLRACE_OPENLINEAGE_URL: server.url,
      MILLRACE_OPENLINEAGE_SECRET: 'OL',
      MILLRACE_SECRET_OL: 'word',
    };
    const config = await loadConfig({ cwd: project, env });
    const client = await createClient({ config });
    releaseAtEnd(() => client[Symbol.asyncDispose]());
    const catalog = await openCatalog(config.catalog);
    releaseAtEnd(() => catalog[Symbol.asyncDispose]());
    const outbox = async (...args: readonly string[]) => {
      const { stdout, exitCode } = await runCli(['outbox', ...args, '--json', '--cwd', project], { env });
      return { exitCode, ...(JSON.parse(stdout) as object) };
    };

    const first = await startCli(['worker', '--cwd', project], { env });
    releaseAtEnd(() => first[Symbol.asyncDispose]());
    await waitFor(() => client.currentBuild(), { what: 'the first worker', timeoutMs: 60_000 });
    const one = await client.start('two', { n: 1 });
    expect(await one.result()).toEqual({ length: 7 });
    await waitFor(async () => (await catalog.outbox.receivers())[0]?.head?.error?.includes('ECONNREFUSED'), { what: 'the receiver to be missed' }); // prettier-ignore

    const back = await lineageServer(Number(new URL(server.url).port));
    back.answer = 503;
    const marker = path.join(project, 'marker');
    const killed = await client.start('two', { n: 2, marker });
    await waitFor(async () => (await readdir(project)).includes('marker'), { what: 'the step to run' });
    await outbox('retry');
    await waitFor(() => back.refused() > 0, { what: 'the receiver to be asked' });
    first.kill('SIGKILL');
    await first.ended;
    expect(back.events).toEqual([]);
    const second = await startCli(['worker', '--cwd', project], { env });
    releaseAtEnd(() => second[Symbol.asyncDispose]());
    expect(await killed.result()).toEqual({ length: 7 });
    const broken = await client.start('broken', {});
    await expect(broken.result()).rejects.toThrow('on purpose');

    expect(await outbox('ls')).toMatchObject({ receivers: [{ receiver: 'openlineage', waiting: 16 }] });
    back.answer = 201;
    await waitFor(
      async () => {
        await catalog.outbox.retry();
        return (await catalog.outbox.list()).length === 0;
      },
      { what: 'all events to be delivered', timeoutMs: 60_000, intervalMs: 500 },
    );
    const events = back.events.map(openLineageEvent);
    const told = (run: string) => {
      const id = openLineageRunId(run);
      return events
        .filter((event) => event.run.runId === id || event.run.facets.parent?.run.runId === id)
        .map(({ eventType, job }) => `${eventType} ${job.name}`);
    };
    const whole = ['START two', 'START two.make', 'COMPLETE two.make', 'START two.use', 'COMPLETE two.use', 'COMPLETE two']; // prettier-ignore
    expect(told(one.id)).toEqual(whole);
    expect(told(killed.id)).toEqual(whole);
    expect(told(broken.id)).toEqual([
      'START broken',
      'START broken.fails',
      'FAIL broken.fails',
      'FAIL broken',
    ]);
    expect(events).toHaveLength(16);
    expect(new Set(back.headers.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer word']));
    const [made, used] = ['COMPLETE two.make', 'START two.use'].map((text) => events.find(({ eventType, job }) => `${eventType} ${job.name}` === text)!); // prettier-ignore
    expect(made!.outputs.map(({ name }) => name)).toEqual(used!.inputs.map(({ name }) => name));
    second.kill('SIGTERM');
    expect((await second.ended).exitCode).toBe(0);
    // Two workers and three commands start, one after the other: minutes on a busy machine.
  }, 300_000);

  test('go to a file as well, and two workers on one catalog send each once', async () => {
    const millrace = await startMillrace({
      files,
      env: { MILLRACE_EXECUTOR: 'process', MILLRACE_OPENLINEAGE_URL: 'file:events.jsonl' },
    });
    await millrace.startHost({ build: 'none' });
    await Promise.all([1, 2, 3].map(async (n) => (await millrace.client.start('two', { n })).result()));
    const file = path.join(millrace.project, 'events.jsonl');
    const lines = async () => (await readFile(file, 'utf8')).trimEnd().split('\n');
    await waitFor(async () => (await lines()).length >= 18, { what: 'the events' });
    const events = (await lines()).map((line) => openLineageEvent(JSON.parse(line)));
    const keys = events.map(({ eventType, run }) => `${eventType} ${run.runId}`);
    expect(keys).toHaveLength(18);
    expect(new Set(keys).size).toBe(18);
  });
});
