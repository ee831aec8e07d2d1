import { createClient } from '../../../client/index.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { runCli } from '../../support/run-cli.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { startTemporal } from '../../support/start-temporal.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'fit.steps.ts': `
import { writeFile } from 'node:fs/promises';
import { model, step } from 'millrace';
import { z } from 'zod';
export const train = step({ name: 'train', isolation: 'process', input: z.object({ n: z.number() }), output: z.object({ model: model(), auc: z.number() }) },
  async ({ n }, { out, metric }) => { metric('loss', 0.5, 1); metric('loss', 0.25, 2); await writeFile(out.model, 'w'); return { auc: n }; });
export const fails = step({ name: 'fails', isolation: 'none', input: z.object({}), output: z.object({}) }, () => { throw new Error('broken'); });`,
  'fit.pipeline.ts': `
import { approval, atLeast, gate, pipeline, promote, register } from 'millrace';
import { z } from 'zod';
import { fails, train } from './fit.steps.js';
export const fit = pipeline({ name: 'fit', input: z.object({ n: z.number() }) }, async ({ n }) => {
  const { model, auc } = await train({ n });
  await gate('quality', { auc: atLeast(auc, 0.5) });
  const version = await register('small', { model, metrics: { auc } });
  await approval('release', { of: version, evidence: { auc } });
  return promote(version);
});
export const broken = pipeline({ name: 'broken', input: z.object({}) }, async () => fails({}));`,
};

describeWith({ temporal: true }, "closed runs after Temporal's retention", () => {
  let millrace: TestMillrace;
  const runs = { fit: '', broken: '' };
  const change = { name: 'small', alias: 'champion', version: 1 };
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
    const fit = await millrace.client.start('fit', { n: 0.8 }, { tags: { team: 'risk' } });
    await waitFor(async () => (await fit.view()).approvals.length > 0, { what: 'the approval' });
    await fit.decide('release', { decision: 'approved', by: 'ada', reason: 'good enough' });
    await fit.result();
    const broken = await millrace.client.start('broken', {});
    await broken.result().catch(() => undefined);
    Object.assign(runs, { fit: fit.id, broken: broken.id });
    await waitFor(async () => (await millrace.client.runs({ status: 'running' })).length === 0);
    await millrace.host.stop();
    await millrace.temporal.kill();
  });

  describe.each([
    ['the service is gone', async () => '127.0.0.1:1'],
    ['the service is an empty one', async () => (await startTemporal()).address],
  ])('when %s', (_name, addressOf) => {
    let address: string;
    beforeAll(async () => {
      address = await addressOf();
    });

    test('are listed and shown with steps, metrics, decisions with their reason, and results', async () => {
      const client = await createClient({ config: millrace.config, address });
      releaseAtEnd(() => client[Symbol.asyncDispose]());
      expect((await client.runs()).map(({ id, status }) => [id, status])).toEqual([
        [runs.broken, 'failed'],
        [runs.fit, 'completed'],
      ]);
      expect(await client.runs({ tags: { team: 'risk' } })).toHaveLength(1);
      const view = await client.run(runs.fit).view();
      expect(view.steps.map(({ path, status }) => `${path} ${status}`)).toEqual([
        'train completed', 'quality completed', 'register completed', 'release completed', 'promote completed',
      ]); // prettier-ignore
      expect(view.steps[0]).toMatchObject({
        input: { n: 0.8 },
        output: { auc: 0.8 },
        metrics: [{ name: 'loss', value: 0.25, index: 2 }],
        attempts: [{ status: 'completed', exitCode: 0, wallSeconds: expect.any(Number) }],
      });
      expect(view.gates).toMatchObject([{ outcome: { outcome: 'pass', checks: { auc: { value: 0.8 } } } }]);
      expect(view.approvals).toMatchObject([
        { status: 'approved', evidence: { auc: 0.8 }, decision: { by: 'ada', reason: 'good enough' } },
      ]);
      expect(view.versions).toMatchObject([{ name: 'small', version: 1, metrics: { auc: 0.8 } }]);
      expect(await client.run(runs.fit).result()).toMatchObject(change);
      await expect(client.run(runs.broken).result()).rejects.toMatchObject({ code: 'STEP_FAILED' });
      const lines = [];
      for await (const line of client.run(runs.broken).logs()) lines.push(line.text);
      expect(lines.join('\n')).toContain('broken');
    });

    test('are shown by the command line', async () => {
      const options = { cwd: millrace.project, env: { TEMPORAL_ADDRESS: address, MILLRACE_QUEUE: millrace.config.queue } }; // prettier-ignore
      const listed = JSON.parse((await runCli(['runs', '--json'], options)).stdout) as { runs: { id: string }[] };
      expect(listed.runs.map(({ id }) => id)).toEqual([runs.broken, runs.fit]);
      const shown = await runCli(['show', runs.fit], options);
      expect(shown.exitCode).toBe(0);
      expect(shown.stdout).toMatch(/✓ train .*loss=0.25/);
      const models = JSON.parse((await runCli(['models', 'small', '--json'], options)).stdout) as object;
      expect(models).toMatchObject({ aliases: [{ alias: 'champion', version: 1 }] });
    }); // prettier-ignore
  });
});
