import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  't.steps.ts': `
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { step } from 'millrace';
import { z } from 'zod';
const none = z.object({});
const counted = z.object({ counter: z.string() });
const count = (file: string) => { const n = existsSync(file) ? Number(readFileSync(file, 'utf8')) + 1 : 1; writeFileSync(file, String(n)); return n; };
export const holds = step({ name: 'holds', isolation: 'process', resources: { cpus: 2 }, input: none, output: none }, async () => { await pause(4_000); return {}; });
export const waits = step({ name: 'waits', isolation: 'process', resources: { cpus: 2 }, timeout: { queue: '1s' }, input: none, output: none }, () => ({}));
export const exits = step({ name: 'exits', command: ['sh', '-c', 'exit 7'], retry: { attempts: 5, finalExitCodes: [7] }, input: none, output: none });
export const slow = step({ name: 'slow', isolation: 'process', timeout: { step: '5s' }, retry: { attempts: 50, initialInterval: '100ms', backoff: 1 }, input: none, output: none },
  async () => { await pause(500); throw new Error('again'); });
export const third = step({ name: 'third', isolation: 'process', retry: { attempts: 3, initialInterval: '50ms' }, input: counted, output: z.object({ n: z.number(), attempt: z.number() }) },
  ({ counter }, { attempt }) => { const n = count(counter); if (n < 3) throw new Error('not yet'); return { n, attempt }; });
export const stops = step({ name: 'stops', isolation: 'process', input: none, output: z.object({ attempt: z.number() }) },
  async (_, { attempt, signal }) => {
    if (attempt === 1) { process.kill(process.pid, 'SIGTERM'); await pause(60_000, undefined, { signal }); }
    return { attempt };
  });
export const here = step({ name: 'here', isolation: 'none', retry: { attempts: 3, initialInterval: '50ms' }, input: counted, output: z.object({ n: z.number() }) },
  ({ counter }) => { const n = count(counter); if (n < 2) throw new Error('not yet'); return { n }; });
export const glue = step({ name: 'glue', inline: true, retry: { attempts: 3, initialInterval: '50ms' }, input: counted, output: z.object({ n: z.number() }) },
  ({ counter }) => { const n = count(counter); if (n < 2) throw new Error('not yet'); return { n }; });
export const hungry = step({ name: 'hungry', image: 'busybox:latest', resources: { memory: '16MiB' }, retry: { onOutOfMemory: { memory: 'x2', max: '256MiB', initialInterval: '10ms' } },
  input: z.object({ bytes: z.number() }), output: z.object({ text: z.string() }),
  command: ['sh', '-c', 'x=$(head -c {input.bytes} /dev/zero | tr "\\\\\\\\0" a); echo "{\\\\"text\\\\": \\\\"\${#x}\\\\"}" > $MILLRACE_DIR/output.json'] });`,
  't.pipeline.ts': `
import { pipeline, sleep } from 'millrace';
import { z } from 'zod';
import { exits, glue, here, holds, hungry, slow, stops, third, waits } from './t.steps.js';
const none = z.object({});
export const exiting = pipeline({ name: 'exiting', input: none }, async () => exits({}));
export const crowded = pipeline({ name: 'crowded', input: none }, async () => { const held = holds({}); await sleep(1_000); try { await waits({}); } finally { await held; } });
export const slowly = pipeline({ name: 'slowly', input: none }, async () => slow({}));
export const stopping = pipeline({ name: 'stopping', input: none }, async () => stops({}));
export const thirdly = pipeline({ name: 'thirdly', input: z.object({ folder: z.string() }) }, async ({ folder }) => {
  const [a, b, c] = await Promise.all([third({ counter: folder + '/a' }), here({ counter: folder + '/b' }), glue({ counter: folder + '/c' })]);
  return { a, b, c };
});
export const starving = pipeline({ name: 'starving', input: z.object({ bytes: z.number() }) }, async ({ bytes }) => hungry({ bytes }));`,
};

describeWith({ temporal: true }, 'a step that fails', () => {
  let millrace: TestMillrace;
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process', MILLRACE_CPUS: '2' } });
  });

  test('is not tried again after an exit code that is final', async () => {
    const run = await millrace.client.start('exiting', {});
    await expect(run.result()).rejects.toMatchObject({ code: 'STEP_FAILED', fields: { exitCode: 7 } });
    expect((await run.view()).steps[0]?.attempts).toHaveLength(1);
    expect((await run.why('exits')).find(({ kind }) => kind === 'fail')?.text).toBe(
      'failed with attempt 1: exit code 7 is final (STEP_FAILED)',
    );
  });

  test('has a limit for all its attempts together, which ends it for good', async () => {
    const run = await millrace.client.start('slowly', {});
    await expect(run.result()).rejects.toMatchObject({ code: 'STEP_TIMEOUT', fields: { limit: 'step' } });
    const [step] = (await run.view()).steps;
    expect(step).toMatchObject({ status: 'failed', failure: { code: 'STEP_TIMEOUT' } });
    expect(step?.attempts.length).toBeGreaterThan(1);
    const end = (await run.why('slow')).find(({ kind }) => kind === 'fail');
    expect(end?.data).toMatchObject({ kind: 'timeout', reason: 'the time of the whole step is over' });
    expect(step?.attempts.filter(({ status }) => status === 'running')).toEqual([]);
  });

  test('has not failed where it was stopped from outside and ended as it was told', async () => {
    const run = await millrace.client.start('stopping', {});
    expect(await run.result()).toEqual({ attempt: 2 });
    expect((await run.view()).steps[0]?.attempts[1]?.failure).toMatchObject({ code: 'ATTEMPT_PREEMPTED' });
  });

  test('waits for room no longer than it may', async () => {
    const run = await millrace.client.start('crowded', {});
    await expect(run.result()).rejects.toMatchObject({ code: 'STEP_TIMEOUT', fields: { limit: 'queue' } });
    const waits = (await run.why('waits')).map(({ kind, text }) => `${kind}: ${text}`);
    expect(waits).toContainEqual(expect.stringMatching(/^queued: queued: .*2 cpus/));
  });

  test('is tried again as often as it asks for, wherever it runs', async () => {
    const run = await millrace.client.start('thirdly', { folder: millrace.project });
    expect(await run.result()).toEqual({ a: { n: 3, attempt: 3 }, b: { n: 2 }, c: { n: 2 } });
    const { steps } = await run.view();
    expect(steps.find(({ path }) => path === 'third')?.attempts.map(({ attempt, status }) => `${attempt} ${status}`)).toEqual(['3 completed', '2 failed', '1 failed']); // prettier-ignore
    expect((await run.why('third')).filter(({ kind }) => kind === 'retry').map(({ text }) => text)).toEqual([
      expect.stringMatching(/^tried again in 0(\.\d)? s after attempt 1: its code failed \(STEP_FAILED\)$/),
      expect.stringMatching(/^tried again in 0(\.\d)? s after attempt 2: its code failed \(STEP_FAILED\)$/),
    ]);
  });
});

describeWith({ temporal: true, docker: true }, 'a container that runs out of memory', () => {
  test('gets more for the next attempt, up to what it may have', async () => {
    const { client } = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'docker' } });
    const run = await client.start('starving', { bytes: 24_000_000 });
    expect(await run.result()).toEqual({ text: '24000000' });
    const memory = (await run.view()).steps[0]?.attempts.map(({ status, resources }) => [
      status,
      resources?.memory,
    ]);
    expect(memory?.at(-1)).toEqual(['failed', 16 * 2 ** 20]);
    expect(memory?.at(-2)).toEqual([expect.any(String), 32 * 2 ** 20]);
    expect(memory?.at(0)?.[0]).toBe('completed');
    expect((await run.why('hungry')).map(({ text }) => text)).toContainEqual(
      expect.stringContaining('it ran out of its 16.0 MiB of memory; the next has 32.0 MiB (OUT_OF_MEMORY)'),
    );

    const starved = await client.start('starving', { bytes: 1_000_000_000 }, { onFailure: 'park' });
    const step = async () => (await starved.view()).steps[0];
    const given = async () =>
      (await step())?.attempts.map(({ resources }) => (resources?.memory ?? 0) / 2 ** 20);
    await waitFor(async () => (await step())?.status === 'parked', { what: 'the step to be parked', timeoutMs: 60_000 }); // prettier-ignore
    expect((await step())?.failure).toMatchObject({ code: 'OUT_OF_MEMORY' });
    expect(await given()).toEqual([256, 128, 64, 32, 16]);
    // What it had come to is not tried out again.
    await starved.repair('hungry', { do: 'retry', input: { bytes: 3 }, by: 'ada' });
    expect(await starved.result()).toEqual({ text: '3' });
    expect(await given()).toEqual([256, 256, 128, 64, 32, 16]);
  });
});
