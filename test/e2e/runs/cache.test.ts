import { chmod, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MillraceClient, RunHandle } from '../../../client/index.js';
import { createClient } from '../../../client/index.js';
import { loadConfig } from '../../../config/load-config.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startCli } from '../../support/run-cli.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace, writeProject } from '../../support/start-millrace.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

/** Steps note each time they really run in a file that only the test knows. */
const steps = (trace: string) => `
import { appendFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { dataset, model, step } from 'millrace';
import { z } from 'zod';
const ran = (what: string) => appendFileSync(${JSON.stringify(trace)}, what + '\\n');

export const prepare = step({ name: 'prepare', isolation: 'process', cache: true, input: z.object({ csv: dataset() }), output: z.object({ table: dataset() }) },
  async ({ csv }, { out }) => { ran('prepare'); await writeFile(out.table, (await readFile(csv.path, 'utf8')).toUpperCase()); return {}; });
export const train = step({
  name: 'train', cache: true, source: './trainer', command: ['/bin/sh', '-c', 'echo train-$2 >> $3; sh train.sh "$0" "$1"', '{in.table}', '{out.model}', '{input.trees}', ${JSON.stringify(trace)}],
  input: z.object({ table: dataset(), trees: z.number().default(10) }), output: z.object({ model: model() }), timeout: '1 hour' });
export const slow = step({ name: 'slow', isolation: 'process', cache: true, input: z.object({ n: z.number(), ms: z.number() }), output: z.object({ n: z.number() }) },
  async ({ n, ms }, { signal }) => { ran('slow-' + n); await pause(ms, undefined, { signal }); return { n: n * 2 }; });
export const inside = step({ name: 'inside', isolation: 'none', cache: { ttl: '1 hour' }, input: z.object({ n: z.number() }), output: z.object({ n: z.number() }) },
  ({ n }) => { ran('inside-' + n); return { n: n + 1 }; });
export const large = step({ name: 'large', isolation: 'process', cache: true, input: z.object({}), output: z.object({ model: model() }) },
  async (_, { out }) => { ran('large'); await writeFile(out.model, Buffer.alloc(65 * 2 ** 20, 'x')); return {}; });
export const measures = step({ name: 'measures', isolation: 'process', input: z.object({ model: model() }), output: z.object({ size: z.number() }) },
  async ({ model: made }) => ({ size: (await readFile(made.path)).length }));
export const boxed = step({ name: 'boxed', image: 'busybox:latest', cache: true, command: ['sh', '-c', 'echo {input.n} > {out.n}'], input: z.object({ n: z.number() }), output: z.object({ n: z.number() }) });
export const uses = step({ name: 'uses', isolation: 'process', input: z.object({ model: model() }), output: z.object({ text: z.string() }) },
  async ({ model: made }) => ({ text: await readFile(made.path, 'utf8') }));
`;
const pipelines = `
import { dataset, pipeline } from 'millrace';
import { z } from 'zod';
import { inside, large, measures, prepare, slow, train, uses } from './c.steps.js';
export const learn = pipeline({ name: 'learn', input: z.object({ csv: dataset(), trees: z.array(z.number()) }) }, async ({ csv, trees }) => {
  const { table } = await prepare({ csv });
  const models = await Promise.all(trees.map((each) => train({ table, trees: each })));
  const { n } = await inside({ n: trees.length });
  return { models: models.map(({ model }) => model.digest), n };
});
export const reads = pipeline({ name: 'reads', input: z.object({ csv: dataset() }) }, async ({ csv }) => {
  const { table } = await prepare({ csv });
  const { model } = await train({ table });
  return uses({ model });
});
export const waits = pipeline({ name: 'waits', input: z.object({ n: z.number(), ms: z.number() }) }, async (input) => slow(input));
export const big = pipeline({ name: 'big', input: z.object({}) }, async () => { const made = await large({}); return (await Promise.all([measures(made), measures(made), measures(made)]))[0]; });
export const twice = pipeline({ name: 'twice', input: z.object({ n: z.number() }) }, async ({ n }) => Promise.all([slow({ n, ms: 500 }), slow({ n, ms: 500 })]));
`;

describeWith({ temporal: true }, 'the cache', () => {
  let millrace: TestMillrace;
  let client: MillraceClient;
  let trace: string;
  let csv: unknown;
  beforeAll(async () => {
    trace = path.join(await temporaryFolder(), 'trace');
    await writeFile(trace, '');
    millrace = await startMillrace({
      files: {
        'c.steps.ts': steps(trace),
        'c.pipeline.ts': pipelines,
        'trainer/train.sh': 'cat "$1" > "$2"; echo trained >> "$2"',
        'a.csv': 'a,b',
      },
      env: { MILLRACE_EXECUTOR: 'process', MILLRACE_CPUS: '8' },
      build: 'watch',
    });
    client = millrace.client;
    csv = await client.upload(path.join(millrace.project, 'a.csv'));
  });

  /** What ran since the last time this was asked. */
  let seen = 0;
  const ranSince = async (): Promise<readonly string[]> => {
    const lines = (await readFile(trace, 'utf8')).split('\n').filter(Boolean);
    const fresh = lines.slice(seen).sort();
    seen = lines.length;
    return fresh;
  };
  const finished = async (name: string, input: unknown, options = {}): Promise<RunHandle> => {
    const run = await client.start(name, input, options);
    await run.result();
    return run;
  };
  const activityTypes = async (run: RunHandle): Promise<readonly string[]> => {
    const { Client, Connection } = await import('@temporalio/client');
    const connection = await Connection.connect({ address: millrace.temporal.address });
    const { events = [] } = await new Client({ connection }).workflow.getHandle(run.id).fetchHistory();
    await connection.close();
    return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: task }) =>
      task?.activityType?.name ? [task.activityType.name] : [],
    );
  };

  test('gives a second run everything, without a task and without an attempt, and says from where', async () => {
    const first = await finished('learn', { csv, trees: [1, 2] });
    expect(await ranSince()).toEqual(['inside-2', 'prepare', 'train-1', 'train-2']);
    const second = await finished('learn', { csv, trees: [1, 2] });
    expect(await ranSince()).toEqual([]);
    expect(await second.result()).toEqual(await first.result());
    expect(await activityTypes(second)).toEqual([]);
    const { steps: shown } = await second.view();
    expect(shown.map(({ path: at, status, attempts, cached }) => ({ at, status, attempts, cached }))).toEqual(
      ['prepare', 'train', 'train#2', 'inside'].map((at) => ({
        at,
        status: 'completed',
        attempts: [],
        cached: { run: first.id, path: at },
      })),
    );
    expect(shown[1]?.output).toEqual((await first.view()).steps[1]?.output);
  });

  test('computes what changed and takes the rest; `why` names what of the key changed', async () => {
    const run = await finished('learn', { csv, trees: [1, 3] });
    expect(await ranSince()).toEqual(['train-3']);
    expect(await client.cache.why(run.id, 'train')).toMatchObject({ outcome: 'hit', changes: [] });
    expect(await client.cache.why(run.id, 'train#2')).toMatchObject({
      outcome: 'computed',
      reason: 'no entry',
      changes: [{ part: 'input.trees', says: '2 → 3' }],
    });
    const before = millrace.host.build()?.id;
    await writeProject(millrace.project, { 'trainer/train.sh': 'cat "$1" > "$2"; echo otherwise >> "$2"' });
    await waitFor(() => millrace.host.build()?.id !== before, { what: 'the new build' });
    const changed = await finished('learn', { csv, trees: [1, 3] });
    expect(await ranSince()).toEqual(['train-1', 'train-3']);
    expect((await client.cache.why(changed.id, 'train')).changes).toEqual([
      { part: 'source', says: 'train.sh changed' },
    ]);
    await expect(client.cache.why(changed.id, 'trian')).rejects.toThrow('Did you mean `train`?');
  });

  test('is not used where a run says so, and computes anew what a run names', async () => {
    const before = (await client.cache.entries({ limit: 100 })).length;
    const none = await finished('learn', { csv, trees: [1] }, { cache: false });
    expect(await ranSince()).toEqual(['inside-1', 'prepare', 'train-1']);
    expect(await client.cache.why(none.id, 'train')).toEqual({
      run: none.id,
      path: 'train',
      outcome: 'off',
      changes: [],
    });
    expect((await client.cache.entries({ limit: 100 })).length).toBe(before);
    const fresh = await finished('learn', { csv, trees: [1] }, { refresh: ['train'] });
    expect(await ranSince()).toEqual(['inside-1', 'train-1']);
    expect(await client.cache.why(fresh.id, 'train')).toMatchObject({
      outcome: 'computed',
      reason: 'asked for anew',
    });
    const entries = await client.cache.entries({ step: 'train', run: fresh.id });
    expect(entries).toHaveLength(1);
    await expect(client.start('learn', { csv, trees: [1] }, { refresh: ['trian'] })).rejects.toMatchObject({
      code: 'UNKNOWN_STEP',
      message: expect.stringContaining('Did you mean `train`?'),
    });
  });

  test('computes each distinct step once for twenty runs that start at once', async () => {
    const runs = await Promise.all(
      Array.from({ length: 20 }, (_, index) => client.start('waits', { n: 100 + (index % 2), ms: 1_000 })),
    );
    const results = await Promise.all(runs.map((run) => run.result()));
    expect(await ranSince()).toEqual(['slow-100', 'slow-101']);
    expect(results).toEqual(runs.map((_, index) => ({ n: 2 * (100 + (index % 2)) })));
    const outcomes = await Promise.all(
      runs.map(async ({ id }) => (await client.cache.why(id, 'slow')).outcome),
    );
    expect(outcomes.filter((outcome) => outcome === 'computed')).toHaveLength(2);
  });

  test('computes one step once within a run, too', async () => {
    const run = await finished('twice', { n: 7 });
    expect(await ranSince()).toEqual(['slow-7']);
    expect((await run.view()).steps.filter(({ cached }) => cached)).toHaveLength(1);
  });

  test('a run that is cancelled lets the one that waits for it compute', async () => {
    const holder = await client.start('waits', { n: 200, ms: 60_000 });
    await waitFor(async () => (await readFile(trace, 'utf8')).includes('slow-200'), { what: 'the holder' });
    const waiter = await client.start('waits', { n: 200, ms: 60_000 });
    const detail = await waitFor(
      async () =>
        (await waiter.view()).steps.find((step) => step.detail?.includes('computes the same'))?.detail,
      { what: 'the waiter' },
    );
    expect(detail).toBe(`waits for ${holder.id} slow, which computes the same`);
    await holder.cancel();
    await waitFor(async () => (await readFile(trace, 'utf8')).split('slow-200').length === 3, {
      what: 'the waiter to compute',
    });
    await waiter.cancel();
    await expect(waiter.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    await ranSince();
  });

  test.each(['changed', 'missing'])('a result whose content is %s is a miss, and is healed', async (how) => {
    await finished('reads', { csv });
    await ranSince();
    const [entry] = await client.cache.entries({ step: 'train' });
    const { model } = entry!.output as { model: { digest: string } };
    const blob = blobPath(millrace.config.store, model.digest);
    await chmod(blob, 0o644);
    if (how === 'missing') await rm(blob);
    else {
      const bytes = await readFile(blob);
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      await writeFile(blob, bytes);
    }
    const run = await client.start('reads', { csv });
    expect(await run.result()).toEqual({ text: 'A,Botherwise\n' });
    expect(await ranSince()).toEqual(['train-10']);
    expect((await client.cache.why(run.id, 'train')).reason).toBe(
      how === 'missing' ? 'content of model is missing' : 'content of model has changed',
    );
    await finished('reads', { csv });
    expect(await ranSince()).toEqual([]);
    if (how === 'changed')
      expect(await readdir(path.join(millrace.config.store.slice(5), 'v1/corrupt'))).not.toEqual([]);
  });

  test('content too large to be read at each look is found lost by who reads it, and is computed again', async () => {
    await finished('big', {});
    expect(await ranSince()).toEqual(['large']);
    const [entry] = await client.cache.entries({ step: 'large' });
    const blob = blobPath(
      millrace.config.store,
      (entry!.output as { model: { digest: string } }).model.digest,
    );
    await chmod(blob, 0o644);
    const file = await open(blob, 'r+');
    await file.write('y', 1_000);
    await file.close();
    const run = await client.start('big', {});
    expect(await run.result()).toEqual({ size: 65 * 2 ** 20 });
    expect(await ranSince()).toEqual(['large']);
    expect((await run.view()).steps.map(({ path: at, status }) => `${at} ${status}`)).toEqual([
      'large completed',
      'measures completed',
      'measures#2 completed',
      'measures#3 completed',
    ]);
    const [large] = (await run.view()).steps;
    expect(large?.cached).toBeUndefined();
    expect(large?.attempts.map(({ status }) => status)).toEqual(['completed']);
  });

  test('results can be let go of, by key, step or run', async () => {
    await finished('learn', { csv, trees: [1] });
    await ranSince();
    const [entry] = await client.cache.entries({ step: 'train' });
    expect(await client.cache.evict({ key: entry!.key })).toBe(1);
    expect(await client.cache.evict({ step: 'inside' })).toBeGreaterThan(0);
    await expect(client.cache.evict({})).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(await client.cache.entries({ step: 'inside' })).toEqual([]);
    await finished('learn', { csv, trees: [1] });
    expect(await ranSince()).toContain('inside-1');
  });
});

describeWith({ temporal: true, docker: true }, 'the cache of container steps', () => {
  test('gives a result without a container, by the digest of the image', async () => {
    const millrace = await startMillrace({
      files: {
        'c.steps.ts': steps('/dev/null'),
        'c.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { boxed } from './c.steps.js';
export const box = pipeline({ name: 'box', input: z.object({ n: z.number() }) }, async ({ n }) => boxed({ n }));`,
        'trainer/train.sh': '',
      },
      env: { MILLRACE_EXECUTOR: 'docker' },
    });
    const { client } = millrace;
    const first = await client.start('box', { n: 4 });
    expect(await first.result()).toEqual({ n: 4 });
    const second = await client.start('box', { n: 4 });
    expect(await second.result()).toEqual({ n: 4 });
    expect((await second.view()).steps).toMatchObject([
      { status: 'completed', attempts: [], cached: { run: first.id, path: 'boxed' } },
    ]);
    const { parts } = await client.cache.why(second.id, 'boxed');
    expect(parts).toMatchObject({
      executor: 'docker',
      image: (await second.view()).run.plan?.images['boxed']?.id,
    });
  });
});

describeWith({ temporal: true }, 'the cache, when its holder dies', () => {
  test('still computes once: the next attempt of the same step goes on, and who waits takes its result', async () => {
    const trace = path.join(await temporaryFolder(), 'trace');
    await writeFile(trace, '');
    const project = await temporaryFolder();
    await writeProject(project, {
      'package.json': '{"name":"holder","type":"module"}',
      'c.steps.ts': steps(trace),
      'c.pipeline.ts': pipelines,
      'trainer/train.sh': '',
    });
    const temporal = await startTemporal();
    const env = {
      TEMPORAL_ADDRESS: temporal.address,
      MILLRACE_EXECUTOR: 'process',
      MILLRACE_QUEUE: path.basename(project),
    };
    const client = await createClient({ config: await loadConfig({ cwd: project, env }) });
    releaseAtEnd(() => client[Symbol.asyncDispose]());
    const start = async () => {
      const worker = await startCli(['worker', '--cwd', project], { env });
      releaseAtEnd(() => worker[Symbol.asyncDispose]());
      return worker;
    };
    const first = await start();
    await waitFor(() => client.currentBuild(), { what: 'the first worker', timeoutMs: 60_000 });
    const holder = await client.start('waits', { n: 1, ms: 4_000 });
    const times = async () => (await readFile(trace, 'utf8')).split('\n').filter(Boolean).length;
    await waitFor(async () => (await times()) === 1, { what: 'the holder to compute' });
    first.kill('SIGKILL');
    await start();
    const waiter = await client.start('waits', { n: 1, ms: 4_000 });
    expect(await waiter.result()).toEqual({ n: 2 });
    expect(await holder.result()).toEqual({ n: 2 });
    // Once by the worker that died, once by the attempt that followed; never by the run that waited.
    expect(await times()).toBe(2);
    expect((await waiter.view()).steps).toMatchObject([{ cached: { run: holder.id, path: 'slow' } }]);
    expect(await client.cache.why(waiter.id, 'slow')).toMatchObject({ outcome: 'joined' });
  });
});

const blobPath = (store: string, digest: string): string =>
  path.join(store.slice('file:'.length), 'v1/blobs/sha256', digest.slice(7, 9), digest.slice(9));
