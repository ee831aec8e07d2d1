import path from 'node:path';
import { createClient } from '../../../client/index.js';
import { startRun } from '../../../client/start-run.js';
import { connectTemporal } from '../../../client/temporal-connection.js';
import { isMillraceError } from '../../../sdk/errors.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'l.steps.ts': `
import { mkdirSync, chmodSync, writeFileSync } from 'node:fs';
import { file, model, step } from 'millrace';
import { z } from 'zod';
const text = z.object({ text: z.string() });
export const grow = step({ name: 'grow', isolation: 'none', input: z.object({ size: z.number() }), output: text }, ({ size }) => ({ text: 'x'.repeat(size) }));
export const take = step({ name: 'take', isolation: 'none', input: text, output: z.object({ n: z.number() }) }, ({ text }) => ({ n: text.length }));
export const forge = step({ name: 'forge', isolation: 'process', input: z.object({}), output: z.object({ data: file() }) },
  () => ({ data: { $artifact: 'file', digest: 'sha256:' + 'a'.repeat(64), type: 'file', size: 1, name: 'x' } }) as never);
export const vast = step({ name: 'vast', isolation: 'none', resources: { cpus: 4096 }, input: z.object({}), output: z.object({}) }, () => ({}));
export const trusted = step({ name: 'trusted', isolation: 'none', secrets: ['NOBODY_HAS_IT'], input: z.object({}), output: z.object({}) }, () => ({}));
export const stubborn = step({ name: 'stubborn', isolation: 'process', input: z.object({}), output: z.object({ model: model() }) }, (_, { out, checkpoint }) => {
  mkdirSync(out.model); writeFileSync(out.model + '/weights', 'w'); mkdirSync(checkpoint + '/cache'); writeFileSync(checkpoint + '/cache/f', ''); chmodSync(checkpoint + '/cache', 0o555); return {};
});`,
  'vast.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { vast } from './l.steps.js';
export const large = pipeline({ name: 'large', input: z.object({}) }, async () => vast({}));`,
  'trusted.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { trusted } from './l.steps.js';
export const secretive = pipeline({ name: 'secretive', input: z.object({}) }, async () => trusted({}));`,
  'l.pipeline.ts': `
import { approval, pipeline } from 'millrace';
import { z } from 'zod';
import { forge, grow, stubborn, take } from './l.steps.js';
const size = z.object({ size: z.number() });
export const output = pipeline({ name: 'output', input: size }, async ({ size }) => 'y'.repeat(size));
export const stepOutput = pipeline({ name: 'stepOutput', input: size }, async ({ size }) => (await grow({ size })).text.length);
export const stepInput = pipeline({ name: 'stepInput', input: size }, async ({ size }) => (await take({ text: 'z'.repeat(size) })).n);
export const forged = pipeline({ name: 'forged', input: z.object({}) }, async () => forge({}));
export const patient = pipeline({ name: 'patient', input: z.object({}) }, async () => approval('go'));
export const stubbornly = pipeline({ name: 'stubbornly', input: z.object({}) }, async () => stubborn({}));`,
};

describeWith({ temporal: true }, 'what a run may not do', () => {
  let millrace: TestMillrace;
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
  });

  test.each(['output', 'stepOutput', 'stepInput'])(
    'a value over 32 MiB ends the run with its name, its largest field and size, and the catalog knows: %s',
    async (name) => {
      const run = await millrace.client.start(name, { size: 40_000_000 });
      await expect(run.result()).rejects.toMatchObject({
        code: 'VALUE_TOO_LARGE',
        message: expect.stringMatching(
          name === 'output'
            ? /40000\d\d\d bytes/
            : /40000\d\d\d bytes.*its largest field, `text`, takes 4000/,
        ),
      });
      expect((await run.view()).run).toMatchObject({
        status: 'failed',
        failure: { code: 'VALUE_TOO_LARGE' },
      });
      expect(await (await millrace.client.start(name, { size: 30_000_000 })).result()).toBeDefined();
    },
  );

  test('an output that names content the step was never given is refused', async () => {
    await expect((await millrace.client.start('forged', {})).result()).rejects.toMatchObject({
      code: 'STEP_OUTPUT_INVALID',
      message: expect.stringContaining('not of its input'),
    });
  });

  test('folders that a step made read-only cost it nothing', async () => {
    const run = await millrace.client.start('stubbornly', {});
    expect(await run.result()).toMatchObject({ model: { type: 'tree' } });
    expect((await run.view()).steps[0]?.attempts).toHaveLength(1);
  });

  test('two starts at once with one id and different input: one run, the other is refused', async () => {
    const ends = await Promise.allSettled(
      [1, 2, 3].map((size) => millrace.client.start('stepOutput', { size }, { runId: 'at-once' })),
    );
    const refused = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    expect(refused).toHaveLength(2);
    for (const error of refused) expect(isMillraceError(error) && error.code).toBe('RUN_EXISTS');
    await expect(millrace.client.start('output', { size: 1 }, { runId: 'a/../b' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  test('a dry run says that no worker serves the build, and does not wait for one', async () => {
    const lonely = await startMillrace({
      files,
      env: { MILLRACE_EXECUTOR: 'process' },
      temporal: millrace.temporal,
    });
    expect((await lonely.client.dryRun('stepOutput', { size: 1 })).problems).toEqual([]);
    await lonely.host.stop();
    // The service still counts it among those who asked lately.
    expect((await lonely.client.dryRun('stepOutput', { size: 1 })).problems).toMatchObject([
      { code: 'NO_BUILD' },
    ]);
    const fresh = { ...(await lonely.client.currentBuild()), id: 'feedfacefeedface' };
    await using catalog = await openCatalog(lonely.config.catalog);
    await catalog.publishBuild(fresh);
    expect((await lonely.client.dryRun('stepOutput', { size: 1 })).problems).toMatchObject([
      { code: 'NO_BUILD' },
    ]);
  });

  test.each([
    ['large', 'CAPACITY_EXCEEDED', 'needs 4096 cpus'],
    ['secretive', 'SECRET_MISSING', 'NOBODY_HAS_IT'],
  ])('a dry run says what a start of %s would be refused for: %s', async (name, code, words) => {
    const { problems } = await millrace.client.dryRun(name, {});
    expect(problems).toMatchObject([{ code, message: expect.stringContaining(words) }]);
    await expect((await millrace.client.start(name, {})).result()).rejects.toMatchObject({ code });
  });

  test('a start that the catalog could not take down is a start all the same', async () => {
    const { config, temporal } = millrace;
    await using catalog = await openCatalog(config.catalog);
    await using connection = await connectTemporal(config, { address: temporal.address });
    const run = await startRun(
      {
        config,
        store: await openArtifactStore(config.store),
        catalog: { ...catalog, insertRun: () => Promise.reject(new Error('disk full')) },
        temporal: () => Promise.resolve(connection),
      },
      'stepOutput',
      { size: 3 },
      {},
    );
    expect(await run.result()).toBe(3);
    expect((await millrace.client.run(run.id).view()).run).toMatchObject({
      status: 'completed',
      pipeline: 'stepOutput',
      input: { size: 3 },
    });
  });

  test('a client outlives the service: the catalog is shown meanwhile, and waiting says what is missing', async () => {
    const database = path.join(await temporaryFolder(), 'temporal.db');
    const temporal = await startTemporal({ database });
    const other = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' }, temporal });
    const client = await createClient({ config: other.config, address: temporal.address });
    const run = await client.start('stepOutput', { size: 5 });
    await run.result();
    await waitFor(async () => (await run.view()).run.status === 'completed');
    const open = await client.start('patient', {});
    await waitFor(async () => (await open.view()).approvals.length > 0, { what: 'the open gate' });
    await other.host.stop();
    await temporal.kill();
    const refusals: unknown[] = [];
    const waiting = [open.result(), client.start('stepOutput', { size: 6 })].map((each) =>
      each.catch((error: unknown) => refusals.push(error)),
    );
    expect((await run.view()).run.status).toBe('completed');
    for (const _ of [1, 2])
      expect(await open.view()).toMatchObject({
        run: { status: 'running' },
        approvals: [{ gate: 'go', status: 'open' }],
      });
    // Who waits for an answer is patient; who only looks, even twice, is not kept waiting for that.
    expect(refusals).toEqual([]);
    await Promise.all(waiting);
    expect(refusals).toMatchObject([{ code: 'TEMPORAL_UNAVAILABLE' }, { code: 'TEMPORAL_UNAVAILABLE' }]);
    await client[Symbol.asyncDispose]();
  });
});
