import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { createClient } from '../../../client/index.js';
import { loadConfig } from '../../../config/load-config.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startCli } from '../../support/run-cli.js';
import { writeProject } from '../../support/start-millrace.js';
import { startPostgres } from '../../support/start-postgres.js';
import { startS3 } from '../../support/start-s3.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

/** Counts epochs, each kept by the helper's one line; the first attempt ends as `first` says, later ones with what they began from. */
const trainer = `
import sys, time
import millrace
first = millrace.inputs.first
began = millrace.load_checkpoint(0)
for epoch in range(began + 1, 100_000):
    millrace.save_checkpoint(epoch)
    if millrace.attempt > 1:
        millrace.output(began=began, attempt=millrace.attempt)
        break
    if epoch == 3 and first == "fails":
        sys.exit(3)
    if first == "stops" and millrace.stopping():
        millrace.save_checkpoint(50_000)
        millrace.leave()
    elif epoch == 1 and first == "stops":
        print("listening", flush=True)
    time.sleep(0.2)
`;
const step = (name: string, options: string) => `
export const ${name} = step({ name: '${name}', image: 'python:3.12-slim', source: './trainer', command: ['python', 'train.py'], resources: { cpus: 0.5, memory: '64MiB' },
  input: z.object({ first: z.string() }), output: z.object({ began: z.number(), attempt: z.number() }), ${options} });`;
const files = {
  'package.json': '{"name":"checkpoints","type":"module"}',
  'trainer/train.py': trainer,
  'fit.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
${step('often', "checkpoint: { every: '1s' }, retry: { attempts: 2 }")}
${step('atEnd', "checkpoint: { every: '1 hour' }, timeout: '8s', retry: { attempts: 2, initialInterval: '6s' }")}
${step('once', "checkpoint: { every: '1 hour' }")}`,
  'fit.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { atEnd, often, once } from './fit.steps.js';
export const steady = pipeline({ name: 'steady', input: z.object({ first: z.string() }) }, async (input) => often(input));
export const late = pipeline({ name: 'late', input: z.object({ first: z.string() }) }, async (input) => atEnd(input));
export const lone = pipeline({ name: 'lone', input: z.object({ first: z.string() }) }, async (input) => once(input));`,
};

/** Hosts with a state directory each, a shared store and catalog. */
async function openFleet(shared: Readonly<Record<string, string>>, adoptWithin = '1s') {
  const project = await temporaryFolder();
  await writeProject(project, files);
  const temporal = await startTemporal();
  const env = (host: string) => ({
    TEMPORAL_ADDRESS: temporal.address,
    MILLRACE_QUEUE: path.basename(project),
    MILLRACE_EXECUTOR: 'docker',
    MILLRACE_ADOPT_WITHIN: adoptWithin,
    ...shared,
    MILLRACE_STATE_DIR: path.join(project, '.state', host),
  });
  const config = await loadConfig({ cwd: project, env: env('client') });
  const client = await createClient({ config });
  releaseAtEnd(() => client[Symbol.asyncDispose]());
  const catalog = await openCatalog(config.catalog);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  return {
    client,
    catalog,
    startHost: async (host: string) => {
      const worker = await startCli(['worker', '--cwd', project], { env: env(host) });
      releaseAtEnd(() => worker[Symbol.asyncDispose]());
      await waitFor(() => client.currentBuild(), { what: 'the worker', timeoutMs: 60_000 });
      return worker;
    },
    stored: async (run: string, step: string) => (await catalog.checkpoints.list(run, step))[0],
    /** Whether the next attempt, which ends soon, stores one too is a matter of time. */
    timeline: async (run: string) =>
      (await catalog.timeline(run)).filter(
        ({ attempt, kind }) =>
          (attempt === 1 && kind === 'checkpoint-stored') || kind === 'checkpoint-restored',
      ),
  };
}

const onFiles = async () => {
  const folder = await temporaryFolder();
  return { MILLRACE_STORE: `file:${folder}/store`, MILLRACE_CATALOG: `sqlite:${folder}/catalog.db` };
};
const onServers = async () => {
  const [s3, postgres] = [await startS3(), await startPostgres()];
  return { ...s3.env, MILLRACE_STORE: `s3://${await s3.bucket()}`, MILLRACE_CATALOG: await postgres.database() }; // prettier-ignore
};
const fleets = [
  { where: 'a folder and SQLite', needs: {}, shared: onFiles },
  { where: 'S3 and PostgreSQL', needs: { s3: true, postgres: true }, shared: onServers },
] as const;

for (const { where, needs, shared } of fleets) {
  describeWith({ temporal: true, docker: true, ...needs }, `two hosts that share ${where}`, () => {
    test('hand a training on by its checkpoint when the first one dies', async () => {
      const { client, startHost, stored, timeline, catalog } = await openFleet(await shared());
      const first = await startHost('a');
      const run = await client.start('steady', { first: 'runs' });
      await waitFor(async () => ((await stored(run.id, 'often'))?.sequence ?? 0) > 1, { what: 'two checkpoints', timeoutMs: 60_000 }); // prettier-ignore
      first.kill('SIGKILL');
      await first.ended;
      const newest = await stored(run.id, 'often');
      await startHost('b');
      const { began, attempt } = (await run.result()) as { began: number; attempt: number };
      expect(attempt).toBe(2);
      expect(began).toBeGreaterThan(1);
      const told = await timeline(run.id);
      expect(told.map(({ attempt, kind }) => `${attempt} ${kind}`)).toEqual([
        '1 checkpoint-stored',
        '2 checkpoint-restored',
      ]);
      expect(told[1]?.data).toMatchObject({ attempt: 1, digest: newest?.digest, sequence: newest?.sequence });
      expect(await catalog.checkpoints.list(run.id, 'often')).toEqual([]);
    });
  });
}

describeWith({ temporal: true, docker: true }, 'a checkpoint at the end of an attempt', () => {
  test('is what a container that was killed had written last, stored also while another worker of its host has it', async () => {
    const { client, startHost, timeline, stored } = await openFleet(await onFiles(), '60s');
    const first = await startHost('a');
    const run = await client.start('steady', { first: 'runs' });
    const begun = async () => {
      const newest = await stored(run.id, 'often');
      return newest && newest.sequence > 1 && newest;
    };
    const { sequence } = await waitFor(begun, { what: 'two checkpoints', timeoutMs: 60_000 });
    first.kill('SIGKILL');
    await first.ended;
    await startHost('a');
    const further = async () => {
      const newest = await stored(run.id, 'often');
      return newest?.attempt === 1 && newest.sequence > sequence + 1;
    };
    await waitFor(further, { what: 'the container to be taken up', timeoutMs: 120_000 });
    const filter = ['--filter', `label=millrace.run=${run.id}`];
    const [id = ''] = execFileSync('docker', ['ps', '-q', ...filter], { encoding: 'utf8' }).split('\n');
    execFileSync('docker', ['kill', id]);
    const { began, attempt } = (await run.result()) as { began: number; attempt: number };
    expect(attempt).toBe(2);
    expect(began).toBeGreaterThan(1);
    expect((await timeline(run.id)).map(({ kind, text }) => `${kind}: ${text}`)).toEqual([
      expect.stringContaining('checkpoint-stored: stored a checkpoint'),
      expect.stringContaining('checkpoint-stored: stored a checkpoint'),
      expect.stringContaining('checkpoint-stored: stored its last checkpoint'),
      'checkpoint-restored: goes on from what attempt 1 left on this host',
    ]);
  });

  test('is what a program writes that is stopped from outside and leaves, which costs its author no attempt', async () => {
    const { client, startHost, catalog } = await openFleet(await onFiles());
    await startHost('a');
    const run = await client.start('lone', { first: 'stops' });
    const kept = async () => {
      const events: string[] = [];
      for await (const { text } of run.logs()) events.push(text);
      return events.includes('listening');
    };
    await waitFor(kept, { what: 'the program to listen', timeoutMs: 60_000 });
    const filter = ['--filter', `label=millrace.run=${run.id}`];
    const [id = ''] = execFileSync('docker', ['ps', '-q', ...filter], { encoding: 'utf8' }).split('\n');
    execFileSync('docker', ['stop', id]);
    expect(await run.result()).toEqual({ began: 50_000, attempt: 2 });
    const [first] = await catalog.attempts(run.id);
    expect(first?.failure).toMatchObject({ code: 'ATTEMPT_PREEMPTED', fields: { exitCode: 143 } });
  });

  test.each([
    ['fails', 'STEP_FAILED', 3],
    ['stops', 'STEP_TIMEOUT', 50_000],
  ])('is what an attempt that %s had written last, on any host', async (end, code, epoch) => {
    const { client, startHost, timeline, catalog } = await openFleet(await onFiles());
    const first = await startHost('a');
    const run = await client.start('late', { first: end });
    const ended = async () => (await catalog.attempts(run.id)).find(({ status }) => status === 'failed');
    expect((await waitFor(ended, { what: 'the first attempt', timeoutMs: 60_000 })).failure?.code).toBe(code);
    first.kill('SIGKILL');
    await startHost('b');
    expect(await run.result()).toEqual({ began: epoch, attempt: 2 });
    expect((await timeline(run.id)).map(({ attempt, text }) => `${attempt} ${text.split(',')[0]}`)).toEqual([
      expect.stringMatching(/^1 stored its last checkpoint of \d+ B$/),
      expect.stringMatching(/^2 goes on from checkpoint 1 of attempt 1 \(\d+ B\)$/),
    ]);
  });
});
