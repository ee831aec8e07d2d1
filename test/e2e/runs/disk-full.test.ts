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

describeWith({ temporal: true, mount: true }, 'a full disk under the working folders', () => {
  test("costs none of the author's attempts: with room again the step goes on from its checkpoint", async () => {
    const state = path.join(await temporaryFolder(), 'state');
    const disk = path.join(state, 'work');
    await mkdir(disk, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
    releaseAtEnd(() => execFileSync('umount', ['-l', disk]));
    const { client } = await startMillrace({
      files: {
        'tick.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
export const tick = step({ name: 'tick', input: z.object({}), output: z.object({ from: z.number() }),
  command: ['sh', '-ec', 'cd "$MILLRACE_DIR"; from=0; [ ! -f checkpoint/at ] || from=$(cat checkpoint/at); at=$from; while [ $at -lt $((from + 30)) ]; do at=$((at + 1)); echo $at > checkpoint/new; mv checkpoint/new checkpoint/at; sleep 0.1; done; echo $from > {out.from}'] });`,
        'tick.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { tick } from './tick.steps.js';
export const ticking = pipeline({ name: 'ticking', input: z.object({}) }, async () => (await tick({})).from);`,
      },
      env: { MILLRACE_STATE_DIR: state, MILLRACE_EXECUTOR: 'process' },
    });
    const run = await client.start('ticking', {});
    await waitFor(async () => (await readdir(path.join(disk, run.id, 'tick/1/checkpoint'))).includes('at'), { what: 'the step to run' }); // prettier-ignore
    const filler = path.join(disk, 'filler');
    await expect(writeFile(filler, Buffer.alloc(17 * mebibyte))).rejects.toThrow(/ENOSPC/);
    const paused = await waitFor(
      async () => (await run.view()).steps.find(({ status }) => status === 'retrying'),
      { what: 'the pause' },
    );
    expect(paused.attempts.at(-1)?.failure).toMatchObject({
      code: 'INFRASTRUCTURE_FAILED',
      what: expect.stringMatching(/failed while the disk of .* was full/),
    });
    await rm(filler);
    expect(await run.result()).toBeGreaterThan(0);
  });
});
