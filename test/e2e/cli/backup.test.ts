import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { runCli } from '../../support/run-cli.js';
import { startMillrace } from '../../support/start-millrace.js';
import { startPostgres } from '../../support/start-postgres.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const files = {
  'fit.steps.ts': `
import { mkdir, writeFile } from 'node:fs/promises';
import { model, step } from 'millrace';
import { z } from 'zod';
export const train = step({ name: 'train', isolation: 'process', input: z.object({}), output: z.object({ model: model() }) },
  async (_, { out }) => { console.log('trained'); await mkdir(out.model); await writeFile(out.model + '/weights', 'w'); return {}; });`,
  'fit.pipeline.ts': `
import { pipeline, promote, register } from 'millrace';
import { z } from 'zod';
import { train } from './fit.steps.js';
export const fit = pipeline({ name: 'fit', input: z.object({}) }, async () => promote(await register('small', await train({}))));`,
};

describeWith({ temporal: true, postgres: true }, 'millrace backup and restore', () => {
  test('carry finished runs to another machine, from SQLite to PostgreSQL, and the next run there goes on from them', async () => {
    const old = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
    const run = await old.client.start('fit', {});
    await run.result();
    const folder = path.join(await temporaryFolder(), 'backup');
    const saved = await runCli(['backup', folder, '--json'], { cwd: old.project });
    expect([saved.exitCode, JSON.parse(saved.stdout)]).toMatchObject([0, { folder, lacking: [] }]);

    const postgres = await startPostgres();
    const env = { MILLRACE_CATALOG: await postgres.database(), MILLRACE_EXECUTOR: 'process' };
    const project = await temporaryFolder();
    const elsewhere = { ...env, MILLRACE_STATE_DIR: path.join(project, 'state') };
    const restored = await runCli(['restore', folder, '--json'], { cwd: project, env: elsewhere });
    expect([restored.exitCode, JSON.parse(restored.stdout)]).toMatchObject([0, { damaged: [], lacking: [] }]);
    expect((await runCli(['restore', folder], { cwd: project, env: elsewhere })).stderr).toContain('is not empty'); // prettier-ignore

    const options = { cwd: project, env: { ...elsewhere, TEMPORAL_ADDRESS: '127.0.0.1:1' } };
    const shown = await runCli(['show', 'last', '--json'], options);
    const { steps } = JSON.parse(shown.stdout) as { steps: { path: string; status: string }[] };
    expect(steps.map(({ path: step, status }) => `${step} ${status}`)).toEqual(['train completed', 'register completed', 'promote completed']); // prettier-ignore
    expect((await runCli(['logs', run.id, 'train'], options)).stdout).toContain('trained');

    const next = await startMillrace({ files, env: elsewhere, temporal: old.temporal });
    const again = await next.client.start('fit', {});
    expect(await again.result()).toMatchObject({ name: 'small', version: 2, former: 1 });
    const { versions } = await next.client.model('small');
    await next.client.download(versions[0]!.model, path.join(project, 'model'));
    expect(await readFile(path.join(project, 'model/weights'), 'utf8')).toBe('w');
  });
});
