import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { runCli } from '../../support/run-cli.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import type { TestPostgres } from '../../support/start-postgres.js';
import { password, startPostgres } from '../../support/start-postgres.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'fit.steps.ts': `
import { writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { dataset, model, step } from 'millrace';
import { z } from 'zod';
export const load = step({ name: 'load', isolation: 'process', input: z.object({ rows: z.number() }), output: z.object({ table: dataset() }) },
  async ({ rows }, { out }) => { console.log(JSON.stringify(process.env)); await writeFile(out.table, 'x '.repeat(rows)); return {}; });
export const train = step({ name: 'train', isolation: 'process', resources: { cpus: 0.1, memory: '64MiB' }, input: z.object({ table: dataset(), seed: z.number() }), output: z.object({ model: model(), auc: z.number() }) },
  async ({ seed }, { out, metric }) => {
    for (let epoch = 0; epoch < 20; epoch++) { metric('loss', 1 / (epoch + 1), epoch); await pause(100); }
    await writeFile(out.model, 'weights ' + seed);
    return { auc: (80 + seed) / 100 };
  });`,
  'fit.pipeline.ts': `
import { atLeast, gate, pipeline, promote, register } from 'millrace';
import { z } from 'zod';
import { load, train } from './fit.steps.js';
export const fit = pipeline({ name: 'fit', input: z.object({ rows: z.number(), rounds: z.number() }) }, async ({ rows, rounds }) => {
  const { table } = await load({ rows });
  let best = await train({ table, seed: 0 });
  for (let round = 1; round < rounds; round++) {
    const made = await Promise.all([1, 2].map((k) => train({ table, seed: round * 2 + k })));
    best = [best, ...made].reduce((a, b) => (a.auc >= b.auc ? a : b));
  }
  await gate('quality', { auc: atLeast(best.auc, 0.5) });
  const version = await register('small', { model: best.model, metrics: { auc: best.auc } });
  await promote(version);
  return { auc: best.auc, version: version.version };
});`,
};

describeWith({ temporal: true, postgres: true }, 'a run with its catalog on PostgreSQL', () => {
  let postgres: TestPostgres;
  let millrace: TestMillrace;
  let env: Record<string, string>;
  beforeAll(async () => {
    postgres = await startPostgres();
    env = {
      MILLRACE_CATALOG: await postgres.database(),
      MILLRACE_EXECUTOR: 'process',
      MILLRACE_CPUS: '4',
      MILLRACE_LOG_LEVEL: 'trace',
    };
    millrace = await startMillrace({ files, env });
    await millrace.startHost();
  });

  test('goes through two worker hosts, and its attempts say what they took', async () => {
    const run = await millrace.client.start('fit', { rows: 10, rounds: 2 });
    expect(await run.result()).toEqual({ auc: 0.84, version: 1 });
    const { run: row, steps, gates, versions } = await run.view();
    expect(row).toMatchObject({ status: 'completed', output: { auc: 0.84 } });
    expect(steps.map(({ path: step, status }) => `${step} ${status}`)).toEqual([
      'load completed', 'train completed', 'train#2 completed', 'train#3 completed', 'quality completed', 'register completed', 'promote completed',
    ]); // prettier-ignore
    const [attempt] = steps.find(({ path: step }) => step === 'train')!.attempts;
    expect(attempt).toMatchObject({ wallSeconds: expect.any(Number), gpuSeconds: 0 });
    expect(attempt!.wallSeconds).toBeGreaterThan(1.9);
    expect(gates).toMatchObject([{ path: 'quality', outcome: { outcome: 'pass' } }]);
    expect(versions).toMatchObject([{ name: 'small', version: 1 }]);
  });

  test('outlives a crash of PostgreSQL, and no row is lost', async () => {
    const run = await millrace.client.start('fit', { rows: 10, rounds: 4 });
    const speaks = async () =>
      (await run.view()).steps.some((step) => step.path === 'train#2' && step.metrics.length > 0);
    await waitFor(speaks, { what: 'a step to be in the midst of its work', timeoutMs: 60_000 });
    await postgres.kill();
    // Longer than a step takes and than a connection is waited for: results stand in Temporal alone meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    await postgres.start();
    expect(await run.result()).toEqual({ auc: 0.88, version: 2 });
    const { run: row, steps } = await waitFor(async () => {
      const seen = await run.view();
      return seen.run.status === 'completed' && seen;
    });
    expect(row.output).toEqual({ auc: 0.88, version: 2 });
    expect(steps).toHaveLength(11);
    expect(steps.filter(({ status }) => status !== 'completed')).toEqual([]);
    const catalog = await import('../../../store/open-catalog.js').then(({ openCatalog }) => openCatalog(env['MILLRACE_CATALOG']!)); // prettier-ignore
    const points = await catalog.metrics(run.id);
    const attempts = await catalog.attempts(run.id);
    await catalog[Symbol.asyncDispose]();
    for (const { path: step } of steps.filter(({ name }) => name === 'train')) {
      const [last] = attempts.filter((each) => each.path === step && each.status === 'completed').reverse();
      const indices = points
        .filter((point) => point.path === step && point.attempt === last!.attempt)
        .map(({ index }) => index);
      expect([step, indices]).toEqual([step, Array.from({ length: 20 }, (_, index) => index)]);
    }
  });

  test('is shown by the command line, and nothing anywhere holds the password', async () => {
    const options = { cwd: millrace.project, env: { ...env, MILLRACE_QUEUE: millrace.config.queue, TEMPORAL_ADDRESS: millrace.temporal.address } }; // prettier-ignore
    const shown = await runCli(['show', 'last', '--json'], options);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      steps: expect.arrayContaining([
        expect.objectContaining({
          name: 'train',
          attempts: [expect.objectContaining({ wallSeconds: expect.any(Number), gpuSeconds: 0 })],
        }),
      ]),
    });
    const doctor = await runCli(['doctor', '--json'], options);
    const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; says: string }[] };
    expect(checks.find(({ name }) => name === 'catalog')).toMatchObject({
      status: 'ok',
      says: expect.stringMatching(/^postgres:\/\/millrace@127\.0\.0\.1:\d+\/test_1, newest run fit-/),
    });
    const absent = { ...options, env: { ...options.env, MILLRACE_CATALOG: postgres.url('absent') } };
    const refused = await runCli(['runs', '--json'], absent);
    expect(refused.exitCode).toBe(2);
    expect(refused.stdout).toContain('there is no such database');
    const texts = [shown, doctor, refused].flatMap(({ stdout, stderr }) => [stdout, stderr]);
    for (const file of await readdir(millrace.project, { recursive: true, withFileTypes: true })) {
      if (file.isFile()) texts.push(await readFile(path.join(file.parentPath, file.name), 'latin1'));
    }
    expect(texts.length).toBeGreaterThan(20);
    for (const text of texts) {
      expect(text.includes(password)).toBe(false);
      expect(text.includes(encodeURIComponent(password))).toBe(false);
    }
  });
});
