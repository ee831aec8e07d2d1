import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { startFaultyProxy } from '../../support/start-faulty-proxy.js';
import { startMillrace } from '../../support/start-millrace.js';
import { startS3 } from '../../support/start-s3.js';
import { waitFor } from '../../support/wait-for.js';

describeWith({ temporal: true, s3: true }, 'a run whose artifacts lie on S3', () => {
  test('finishes though the service is gone while a step stores and the next one reads', async () => {
    const s3 = await startS3();
    const proxy = await startFaultyProxy(s3.port);
    const { client, config } = await startMillrace({
      files: {
        'big.steps.ts': `
import { readFile, writeFile } from 'node:fs/promises';
import { file, step } from 'millrace';
import { z } from 'zod';
export const make = step({ name: 'make', isolation: 'process', input: z.object({}), output: z.object({ data: file() }) },
  async (_, { out }) => { await writeFile(out.data, Buffer.alloc(20_000_000, 'x')); return {}; });
export const count = step({ name: 'count', isolation: 'process', input: z.object({ data: file() }), output: z.object({ bytes: z.number() }) },
  async ({ data }) => ({ bytes: (await readFile(data.path)).length }));`,
        'big.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { count, make } from './big.steps.js';
export const large = pipeline({ name: 'large', input: z.object({}) }, async () => (await count({ data: (await make({})).data })).bytes);`,
      },
      env: { MILLRACE_STORE: `s3://${await s3.bucket()}/runs`, MILLRACE_S3_ENDPOINT: proxy.endpoint, MILLRACE_EXECUTOR: 'process' },
    }); // prettier-ignore
    // While it stores: gone for some seconds. While it reads: every other request is refused.
    let parts = 0;
    let requests = 0;
    let back = false;
    proxy.judge = ({ url }) => {
      if (url?.includes('partNumber=')) parts += 1;
      if (back && requests++ % 2 === 0) return { kind: 'status', status: 503, code: 'SlowDown' };
      return back ? { kind: 'pass' } : { kind: 'slow', pauseMs: 3 };
    };
    const run = await client.start('large', {});
    await waitFor(() => parts > 0, { what: 'an upload under way' });
    await proxy.vanish();
    back = true;
    setTimeout(() => void proxy.comeBack(), 8_000);

    expect(await run.result()).toBe(20_000_000);
    const { steps } = await run.view();
    expect(steps.map(({ path: name, attempts }) => [name, attempts.length])).toEqual([
      ['make', 1],
      ['count', 1],
    ]);
    const kept = execFileSync('find', [path.join(config.stateDir, 'cache/blobs/v1/blobs'), '-type', 'f', '-size', '+10M'], { encoding: 'utf8' });
    expect(kept.trim().split('\n')).toHaveLength(1);
  });
}); // prettier-ignore
