import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { runCli } from '../../support/run-cli.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

type Demo = {
  readonly run: string;
  readonly status: string;
  readonly steps: readonly {
    readonly path: string;
    readonly status: string;
    readonly attempt: number;
    readonly executor: string;
    readonly image?: string;
    readonly durationMs: number;
  }[];
  readonly model: { readonly name: string; readonly version: number; readonly alias: string };
  readonly metrics: { readonly auc: number; readonly gap: number };
  readonly warning: string | null;
  readonly places: { readonly reports: Readonly<Record<string, string>> };
};

const demo = async (
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Demo & { readonly said: string }> => {
  const { exitCode, stdout, stderr } = await runCli(['demo', '--yes', '--json'], {
    cwd,
    env,
    timeoutMs: 400_000,
  });
  if (exitCode !== 0) throw new Error(`demo ended with ${exitCode}:\n${stdout}\n${stderr}`);
  return { ...(JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Demo), said: stderr };
};

describeWith({ temporal: true, docker: true, python: true }, 'the demo', () => {
  test('takes data to a champion in containers, again as version 2 with the same figures, and as processes where no engine answers', async () => {
    const folder = await temporaryFolder();
    const first = await demo(folder);
    expect(first).toMatchObject({
      status: 'completed',
      model: { name: 'mortgage', version: 1, alias: 'champion' },
      warning: null,
    });
    expect(first.steps.map(({ path: step }) => step)).toEqual([
      'validate',
      'train',
      'train#2',
      'train#3',
      'evaluate',
    ]);
    for (const step of first.steps)
      expect(step).toMatchObject({
        status: 'completed',
        attempt: 1,
        executor: 'docker',
        image: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
        durationMs: expect.any(Number),
      });
    expect(first.metrics.auc).toBeGreaterThan(0.8);
    expect(first.metrics.auc).toBeLessThan(0.85);
    expect(first.metrics.gap).toBeGreaterThan(0.1);
    expect(await readFile(path.join(first.places.reports['report'] ?? '', 'index.html'), 'utf8')).toContain(
      '<',
    );

    const second = await demo(folder);
    expect(second.run).not.toBe(first.run);
    expect(second.model.version).toBe(2);
    expect(second.metrics).toEqual(first.metrics);

    const third = await demo(folder, { DOCKER_HOST: 'unix:///nowhere/docker.sock' });
    expect(third.model.version).toBe(3);
    expect(third.steps.every(({ executor }) => executor === 'process')).toBe(true);
    expect(third.warning).toContain('processes on the worker');
    expect(third.said.match(/processes on the worker/g)).toHaveLength(1);
    expect(third.metrics.auc).toBeCloseTo(first.metrics.auc, 3);

    const show = await runCli(['show', first.run, '--json'], { cwd: folder });
    expect(JSON.parse(show.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      run: { id: first.run, status: 'completed' },
    });
    const models = await runCli(['models', 'mortgage', '--json'], { cwd: folder });
    expect(JSON.parse(models.stdout)).toMatchObject({
      name: 'mortgage',
      aliases: [{ alias: 'champion', version: 3 }],
    });
  }, 900_000);
});
