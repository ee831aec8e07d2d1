import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startMillrace } from '../../support/start-millrace.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const mebibyte = 2 ** 20;

describeWith({ temporal: true, mount: true }, 'a full disk under the artifact store', () => {
  test('pauses the step with its reason; with room again the run completes, and no half artifact is left', async () => {
    const disk = path.join(await temporaryFolder(), 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', disk]);
    releaseAtEnd(() => execFileSync('umount', ['-l', disk]));
    const { client } = await startMillrace({
      files: {
        'big.steps.ts': `
import { writeFile } from 'node:fs/promises';
import { file, step } from 'millrace';
import { z } from 'zod';
export const big = step({ name: 'big', isolation: 'process', input: z.object({}), output: z.object({ data: file() }) },
  async (_, { out }) => { await writeFile(out.data, Buffer.alloc(${12 * mebibyte}, 'x')); return {}; });`,
        'big.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { big } from './big.steps.js';
export const large = pipeline({ name: 'large', input: z.object({}) }, async () => (await big({})).data);`,
      },
      env: { MILLRACE_STORE: `file:${disk}/artifacts`, MILLRACE_EXECUTOR: 'process' },
    });
    const filler = path.join(disk, 'filler');
    await writeFile(filler, Buffer.alloc(34 * mebibyte));

    const run = await client.start('large', {});
    const paused = await waitFor(
      async () => (await run.view()).steps.find(({ status }) => status === 'retrying'),
      { what: 'the pause' },
    );
    expect(paused.attempts.at(-1)?.failure).toMatchObject({
      code: 'INFRASTRUCTURE_FAILED',
      what: expect.stringContaining('ENOSPC'),
    });

    await rm(filler);
    const data = (await run.result()) as { size: number };
    expect(data.size).toBe(12 * mebibyte);
    const files = (
      await readdir(path.join(disk, 'artifacts'), { recursive: true, withFileTypes: true })
    ).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(2);
    for (const { parentPath, name } of files) {
      const content = await readFile(path.join(parentPath, name));
      expect(path.basename(parentPath) + name).toBe(createHash('sha256').update(content).digest('hex'));
    }
  });
});
