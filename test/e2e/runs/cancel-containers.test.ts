import { execFileSync } from 'node:child_process';
import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'k.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
const common = { image: 'busybox:latest', resources: { cpus: 0.1, memory: '32MiB' }, input: z.object({ n: z.number() }), output: z.object({}) } as const;
export const saves = step({ ...common, name: 'saves', stopGrace: '60 s', command: ['sh', '-c', 'trap "echo saved; exit 0" TERM; sleep 600 & wait'] });
export const deaf = step({ ...common, name: 'deaf', stopGrace: '1 s', command: ['sh', '-c', 'trap "echo not yet" TERM; while true; do sleep 1; done'] });
export const brief = step({ ...common, name: 'brief', command: ['true'] });
export const tidy = step({ ...common, name: 'tidy', command: ['echo', 'tidied'] });`,
  'k.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { brief, deaf, saves, tidy } from './k.steps.js';
export const many = pipeline({ name: 'many', input: z.object({}), onCancel: async () => { await tidy({ n: 0 }); } }, async () => {
  await brief({ n: 0 });
  await Promise.all([saves({ n: 1 }), deaf({ n: 1 }), deaf({ n: 2 })]);
});`,
};

describeWith({ temporal: true, docker: true }, 'a run in containers that is cancelled', () => {
  let millrace: TestMillrace;
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'docker' } });
  });
  const containers = () =>
    execFileSync(
      'docker',
      ['ps', '-aq', '--filter', `label=millrace.installation=${millrace.config.installation}`],
      { encoding: 'utf8' },
    )
      .split('\n')
      .filter(Boolean);

  test('has them stopped, the deaf ones killed after their grace, and none is left when it ends', async () => {
    const run = await millrace.client.start('many', {});
    await waitFor(
      async () => (await run.view()).steps.filter(({ status }) => status === 'running').length === 3,
      { what: 'three containers' },
    );
    // The row comes before the program.
    await waitFor(() => containers().length === 3);
    const stopTimeouts = execFileSync(
      'docker',
      ['inspect', '-f', '{{.Config.StopTimeout}}', ...containers()],
      { encoding: 'utf8' },
    );
    expect(stopTimeouts.trim().split('\n').sort()).toEqual(['1', '1', '60']);
    await run.cancel({ by: 'ada' });
    await expect(run.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    expect(containers()).toEqual([]);
    const { steps } = await run.view();
    expect(Object.fromEntries(steps.map(({ path, status }) => [path, status]))).toEqual({
      brief: 'completed',
      saves: 'cancelled',
      deaf: 'cancelled',
      'deaf#2': 'cancelled',
      tidy: 'completed',
    });
    const lines = [];
    for await (const { path, text } of run.logs()) lines.push(`${path}: ${text}`);
    expect(lines).toEqual(expect.arrayContaining(['saves: saved', 'tidy: tidied']));
  });
});
