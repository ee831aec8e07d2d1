import { appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunHandle } from '../../../client/index.js';
import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'p.steps.ts': `
import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { step } from 'millrace';
import { z } from 'zod';
const noted = z.object({ to: z.string(), text: z.string() });
const none = z.object({});
/** Takes half of the host, until its file is there. */
export const until = step({ name: 'until', isolation: 'none', resources: { cpus: 1 }, input: noted, output: none }, async ({ to, text }, { signal }) => {
  appendFileSync(to, text + ' begins\\n');
  while (!existsSync(to + '.' + text)) await pause(20, undefined, { signal });
  appendFileSync(to, text + ' ends\\n');
  return {};
});
export const note = step({ name: 'note', isolation: 'none', input: noted, output: none }, ({ to, text }) => { appendFileSync(to, text + '\\n'); return {}; });
export const flaky = step({ name: 'flaky', isolation: 'process', retry: { attempts: 2, initialInterval: 10 }, input: noted, output: none }, async ({ to }, { attempt }) => {
  appendFileSync(to, 'attempt ' + attempt + '\\n');
  while (!existsSync(to + '.flaky')) await pause(20);
  if (attempt === 1) throw new Error('once');
  return {};
});`,
  'p.pipeline.ts': `
import { approval, gate, atLeast, pipeline } from 'millrace';
import { z } from 'zod';
import { flaky, note, until } from './p.steps.js';
const to = z.object({ to: z.string() });
export const two = pipeline({ name: 'two', input: to }, async ({ to }) => {
  await until({ to, text: 'a' });
  await gate('good', { n: atLeast(2, 1) });
  await note({ to, text: 'done' });
});
export const wide = pipeline({ name: 'wide', input: to }, async ({ to }) => {
  await Promise.all(['a', 'b', 'c'].map((text) => until({ to, text })));
});
export const retried = pipeline({ name: 'retried', input: to }, async ({ to }) => flaky({ to, text: '' }));
export const asked = pipeline({ name: 'asked', input: to }, async ({ to }) => {
  await until({ to, text: 'a' });
  await approval('go', { within: '1 hour' });
});
export const outer = pipeline({ name: 'outer', input: to }, async ({ to }) => { await two({ to }); });
export const tidy = pipeline({ name: 'tidy', input: to, finally: async ({ to }) => { await note({ to, text: 'tidied' }); } }, async ({ to }) => { await until({ to, text: 'a' }); await note({ to, text: 'never' }); });`,
};

describeWith({ temporal: true }, 'a run that is paused', () => {
  let millrace: TestMillrace;
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process', MILLRACE_CPUS: '2' } });
  });

  let count = 0;
  async function start(pipeline: string) {
    const to = path.join(millrace.project, `notes-${(count += 1)}`);
    await appendFile(to, '');
    const run = await millrace.client.start(pipeline, { to });
    const notes = async () => (await readFile(to, 'utf8')).split('\n').filter(Boolean);
    const noted = (lines: number) =>
      waitFor(async () => (await notes()).length === lines, { what: `${lines} lines` });
    return { run, notes, noted, free: (text: string) => appendFile(`${to}.${text}`, '') };
  }
  const status = async (run: RunHandle, step: string) =>
    (await run.view()).steps.find(({ path: at }) => at === step)?.status;
  const isStatus = (run: RunHandle, step: string, wanted: string) =>
    waitFor(async () => (await status(run, step)) === wanted, { what: `${step} to be ${wanted}` });
  const kinds = async (run: RunHandle) =>
    (await run.why()).filter(({ path: at }) => at === '').map(({ kind }) => kind);

  test('lets its step end and begins nothing more until it is resumed, also on a worker that replays it', async () => {
    const { run, notes, noted, free } = await start('two');
    await noted(1);
    const paused = await run.pause({ by: 'ada', reason: 'new data comes' });
    expect(paused).toMatchObject({ by: 'ada', reason: 'new data comes', at: expect.any(String) });
    // Who asks again is told of the pause there is.
    expect(await run.pause({ by: 'bob' })).toEqual(paused);
    expect((await run.view()).run).toMatchObject({ status: 'running', paused });
    await free('a');
    await isStatus(run, 'until', 'completed');
    await millrace.host.stop();
    await millrace.startHost();
    const { steps, gates } = await run.view();
    expect([steps.length, gates.length]).toEqual([1, 0]);
    await run.resume({ by: 'bob', reason: 'it is here' });
    await run.result();
    expect(await notes()).toEqual(['a begins', 'a ends', 'done']);
    const view = await run.view();
    expect(view.run.paused).toBeUndefined();
    expect(await run.why()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: '', kind: 'paused', text: 'paused by ada: new data comes.' }),
        expect.objectContaining({ path: '', kind: 'resumed', text: 'resumed by bob: it is here.' }),
      ]),
    );
  });

  test('gives back what waits for room on a worker, and keeps no place from others', async () => {
    const { run, notes, noted, free } = await start('wide');
    await noted(2);
    const waiting = await waitFor(
      async () => (await run.view()).steps.find(({ detail }) => detail?.startsWith('needs')),
      { what: 'one to wait for room' },
    );
    await run.pause({ by: 'ada' });
    const isGivenBack = async () =>
      (await run.view()).steps.find(({ path: at }) => at === waiting.path)?.detail === 'its run is paused';
    await waitFor(isGivenBack, { what: 'that one to be given back' });
    const [first = ''] = await notes();
    await free(first.charAt(0));
    await waitFor(async () => (await run.view()).steps.some((step) => step.status === 'completed'), {
      what: 'one of them to end',
    });
    const other = await start('two');
    await other.noted(1);
    await other.free('a');
    await other.run.result();
    expect((await notes()).filter((line) => line.endsWith('begins'))).toHaveLength(2);
    for (const text of ['a', 'b', 'c']) await free(text);
    await run.resume({ by: 'ada' });
    await run.result();
    expect((await run.view()).steps.map(({ attempts }) => attempts.length)).toEqual([1, 1, 1]);
  });

  test('makes no other attempt of what failed', async () => {
    const { run, notes, noted, free } = await start('retried');
    await noted(1);
    await run.pause({ by: 'ada' });
    await free('flaky');
    await isStatus(run, 'flaky', 'retrying');
    expect(await notes()).toEqual(['attempt 1']);
    await run.resume({ by: 'ada' });
    await run.result();
    expect(await notes()).toEqual(['attempt 1', 'attempt 2']);
  });

  test('opens no approval, and takes the answer to one that is open', async () => {
    const { run, noted, free } = await start('asked');
    await noted(1);
    await run.pause({ by: 'ada' });
    await free('a');
    await isStatus(run, 'until', 'completed');
    expect((await run.view()).approvals).toEqual([]);
    await run.resume({ by: 'ada' });
    await waitFor(async () => (await run.view()).approvals.length === 1, { what: 'the approval' });
    await run.pause({ by: 'ada' });
    await run.decide('go', { decision: 'approved', by: 'bob' });
    await run.result();
  });

  test('takes its child runs along; one of them cannot be resumed by itself', async () => {
    const { run, notes, noted, free } = await start('outer');
    const child = millrace.client.run(`${run.id}.two`);
    await noted(1);
    await run.pause({ by: 'ada', reason: 'lunch' });
    await waitFor(async () => (await child.view()).run.paused?.reason === 'lunch', {
      what: 'the child to be paused',
    });
    await expect(child.resume({ by: 'bob' })).rejects.toMatchObject({
      code: 'PAUSE_REFUSED',
      message: expect.stringContaining(`Resume \`${run.id}\``),
    });
    await free('a');
    await isStatus(child, 'until', 'completed');
    expect(await notes()).toEqual(['a begins', 'a ends']);
    await run.resume({ by: 'ada' });
    await run.result();
    expect(await kinds(child)).toEqual(expect.arrayContaining(['paused', 'resumed']));
    await expect(run.pause({ by: 'ada' })).rejects.toMatchObject({ code: 'UNKNOWN_RUN' });
  });

  test('is cancelled all the same, and cleans up', async () => {
    const { run, notes, noted } = await start('tidy');
    await noted(1);
    await run.pause({ by: 'ada' });
    await run.cancel({ by: 'bob' });
    await expect(run.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    expect(await notes()).toEqual(['a begins', 'tidied']);
    const { run: record } = await run.view();
    expect(record).toMatchObject({ status: 'cancelled' });
    expect(record.paused).toBeUndefined();
  });
});
