import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { startMillrace } from '../../support/start-millrace.js';

const folder = path.join(import.meta.dirname, '../../../examples/quickstart');

describeWith({ temporal: true }, 'the quickstart', () => {
  test('runs on the real engine without Docker, and its gate judges what it measured', async () => {
    const names = ['quickstart.pipeline.ts', 'quickstart.steps.ts'];
    const files = Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [name, await readFile(path.join(folder, name), 'utf8')] as const),
      ),
    );
    const { client } = await startMillrace({
      files,
      env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' },
    });
    const run = await client.start('quickstart', {});
    const line = (await run.result()) as { slope: number; r2: number };
    expect(line.slope).toBeCloseTo(3, 1);
    const view = await run.view();
    expect(view.steps.map(({ path: step, status }) => [step, status])).toEqual([
      ['measure', 'completed'],
      ['fit', 'completed'],
      ['straight', 'completed'],
    ]);
    expect(view.gates).toMatchObject([{ outcome: { outcome: 'pass', checks: { r2: { value: line.r2 } } } }]);
    expect(view.run.plan?.warning).toBeUndefined();
  });
});
