import { describeWith } from '../../support/describe-with.js';
import { startMillrace } from '../../support/start-millrace.js';

const files = {
  'a.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
export const far = step({ name: 'far', image: '127.0.0.1:1/team/absent:1', command: ['/bin/sh', '-c', 'echo $MILLRACE_DIR > {out.where}'], input: z.object({}), output: z.object({ where: z.string() }) });
export const inNode = step({ name: 'inNode', input: z.object({}), output: z.object({ where: z.string() }) }, () => ({ where: process.env.MILLRACE_DIR ?? '' }));`,
  'far.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { far } from './a.steps.js';
export const p = pipeline({ name: 'far', input: z.object({}) }, async () => far({}));`,
  'near.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { inNode } from './a.steps.js';
export const p = pipeline({ name: 'near', input: z.object({}) }, async () => inNode({}));`,
};

describeWith({ temporal: true, docker: true }, 'a worker that may choose', () => {
  test('runs a step in a container where its image can be had, else as a process, and says why', async () => {
    const { client } = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'auto' } });
    const near = await client.start('near', {});
    expect(await near.result()).toEqual({ where: '/millrace' });
    const far = await client.start('far', {});
    expect(await far.result()).toEqual({ where: expect.stringMatching(/\/work\/far/) });
    const { run, steps } = await far.view();
    expect(run.plan).toEqual({ executor: 'process', images: {}, warning: expect.stringMatching(/not in containers: Image `127.0.0.1:1\/team\/absent:1`/) }); // prettier-ignore
    expect(steps).toMatchObject([{ attempts: [{ executor: 'process' }] }]);
  });
});
