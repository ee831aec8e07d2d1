import { appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { RunHandle } from '../../../client/index.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'c.steps.ts': `
import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { model, step } from 'millrace';
import { z } from 'zod';
const none = z.object({});
const to = z.object({ to: z.string() });
const noted = z.object({ to: z.string(), text: z.string() });
export const slow = step({ name: 'slow', isolation: 'none', input: none, output: none }, async (_, { signal }) => { await pause(600_000, undefined, { signal }); return {}; });
export const note = step({ name: 'note', isolation: 'none', input: noted, output: none }, ({ to, text }) => { appendFileSync(to, text + '\\n'); return {}; });
export const until = step({ name: 'until', isolation: 'none', input: to, output: none }, async ({ to }) => { while (!existsSync(to + '.go')) await pause(10); return {}; });
export const reluctant = step({ name: 'reluctant', input: to, output: none,
  command: ['sh', '-c', 'trap "sleep 1; echo stopped >> $0; exit 1" TERM; echo begins >> $0; sleep 600 & wait', '{input.to}'] });
export const fails = step({ name: 'fails', isolation: 'none', input: none, output: none }, () => { throw new Error('no luck'); });
export const make = step({ name: 'make', isolation: 'process', input: none, output: z.object({ model: model() }) }, async (_, { out }) => { appendFileSync(out.model, 'm'); return {}; });`,
  'c.pipeline.ts': `
import { approval, pipeline, register, sleep } from 'millrace';
import { z } from 'zod';
import { fails, make, note, reluctant, slow, until } from './c.steps.js';
const to = z.object({ to: z.string() });
export const plain = pipeline({ name: 'plain', input: to }, async ({ to }) => {
  try { await slow({}); } finally { await note({ to, text: 'tidied' }); }
});
export const goesOn = pipeline({ name: 'goesOn', input: to }, async ({ to }) => {
  const { model } = await make({});
  try { await slow({}); } catch { await note({ to, text: 'caught' }); }
  await register('never', { model });
  await approval('never');
  return 'never';
});
export const unaware = pipeline({ name: 'unaware', input: to }, async ({ to }) => {
  await until({ to });
  await note({ to, text: 'went on' });
});
export const branches = pipeline({ name: 'branches', input: to }, async ({ to }) => {
  const branch = async () => { try { await reluctant({ to }); } catch (error) { if (error instanceof RangeError) throw error; } await note({ to, text: 'branch' }); };
  try { await Promise.all([slow({}), branch()]); } finally { await note({ to, text: 'tidied' }); }
});
const hooks = {
  input: to,
  onCancel: async ({ to }: { to: string }, cause: object) => { await note({ to, text: 'onCancel ' + JSON.stringify(cause) }); },
  finally: async ({ to }: { to: string }, { status, failure }: { status: string; failure?: Error }) => { await note({ to, text: ['finally', status, failure?.name ?? ''].join(' ').trim() }); },
};
export const hooked = pipeline({ name: 'hooked', ...hooks }, async ({ to }) => { await Promise.all([slow({}), reluctant({ to })]); });
export const failing = pipeline({ name: 'failing', ...hooks }, async () => { await Promise.all([slow({}), fails({})]); });
export const fine = pipeline({ name: 'fine', ...hooks, finally: async () => { await fails({}); } }, async () => 'fine');
export const refused = pipeline({ name: 'refused', ...hooks, onCancel: async () => { await fails({}); } }, async () => { await slow({}); });
export const endless = pipeline({ name: 'endless', ...hooks, cleanupTimeout: '2s', onCancel: async () => { await slow({}); } }, async () => { await slow({}); });
export const patient = pipeline({ name: 'patient', ...hooks, onCancel: async () => { await sleep('1 hour'); } }, async () => { await slow({}); });
export const outer = pipeline({ name: 'outer', ...hooks }, async ({ to }) => { await hooked({ to }); });
export const careful = pipeline({ name: 'careful', ...hooks, finally: async ({ to }) => { await sleep('1 hour'); } }, async () => 'done');`,
};

describeWith({ temporal: true }, 'a run that is cancelled', () => {
  let millrace: TestMillrace;
  let temporal: Client;
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process', MILLRACE_CPUS: '16' } });
    const connection = await Connection.connect({ address: millrace.temporal.address });
    releaseAtEnd(() => connection.close());
    temporal = new Client({ connection });
  });

  let count = 0;
  /** A run and the file that its steps write to. */
  async function start(pipeline: string) {
    const to = path.join(millrace.project, `notes-${(count += 1)}`);
    await appendFile(to, '');
    const run = await millrace.client.start(pipeline, { to });
    const notes = async () => (await readFile(to, 'utf8')).split('\n').filter(Boolean);
    return { run, to, notes };
  }
  const running = (run: RunHandle, step: string, times = 1) =>
    waitFor(
      async () =>
        (await run.view()).steps.filter(({ path: at, status }) => at.startsWith(step) && status === 'running')
          .length === times,
      { what: `${step} to run` },
    );
  const cancelled = async (run: RunHandle) => {
    await expect(run.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    expect((await temporal.workflow.getHandle(run.id).describe()).status.name).toBe('CANCELLED');
    return run.view();
  };
  /** What its cleanup wrote. */
  const tidied = async (notes: () => Promise<string[]>) =>
    (await notes()).filter((line) => line !== 'begins' && line !== 'stopped');
  const statuses = async (run: RunHandle) =>
    Object.fromEntries((await run.view()).steps.map(({ path: at, status }) => [at, status]));

  test('does what its finally block says, and says who cancelled it', async () => {
    const { run, notes } = await start('plain');
    await running(run, 'slow');
    await run.cancel({ by: 'ada', reason: 'wrong data' });
    const view = await cancelled(run);
    expect(view.run).toMatchObject({
      status: 'cancelled',
      failure: { code: 'RUN_CANCELLED', what: 'The run was cancelled by ada: wrong data.' },
    });
    expect(await notes()).toEqual(['tidied']);
    expect(await statuses(run)).toEqual({ slow: 'cancelled', note: 'completed' });
    expect(await run.why()).toContainEqual(
      expect.objectContaining({ path: '', kind: 'cancelled', text: 'cancelled by ada: wrong data.' }),
    );
  });

  test('registers and decides nothing more, though its pipeline caught the cancellation and went on', async () => {
    const { run, notes } = await start('goesOn');
    await running(run, 'slow');
    await run.cancel({ by: 'ada' });
    const view = await cancelled(run);
    expect(await notes()).toEqual(['caught']);
    expect(view).toMatchObject({ run: { status: 'cancelled' }, versions: [], approvals: [] });
    expect(await statuses(run)).toEqual({ make: 'completed', slow: 'cancelled', note: 'completed' });
  });

  test('goes no further after a call that came to its end all the same', async () => {
    const { run, to, notes } = await start('unaware');
    await running(run, 'until');
    await run.cancel({ by: 'ada' });
    await appendFile(`${to}.go`, '');
    await cancelled(run);
    expect(await notes()).toEqual([]);
    expect(Object.keys(await statuses(run))).toEqual(['until']);
  });

  test('tells every branch of its pipeline, and cleans up when all of them have been stopped', async () => {
    const { run, notes } = await start('branches');
    await running(run, 'slow');
    await waitFor(async () => (await notes()).length === 1, { what: 'the step' });
    await run.cancel({ by: 'ada' });
    await cancelled(run);
    expect((await notes()).slice(0, 2)).toEqual(['begins', 'stopped']);
    expect((await notes()).slice(2).sort()).toEqual(['branch', 'tidied']);
  });

  test('runs onCancel with its cause, then finally, when its steps have been stopped', async () => {
    const { run, notes } = await start('hooked');
    await running(run, 'slow');
    await waitFor(async () => (await notes()).length === 1, { what: 'the step' });
    await run.cancel({ by: 'ada', reason: 'wrong data' });
    await cancelled(run);
    expect(await notes()).toEqual([
      'begins',
      'stopped',
      'onCancel {"by":"ada","reason":"wrong data"}',
      'finally cancelled',
    ]);
    expect(await statuses(run)).toMatchObject({
      slow: 'cancelled',
      note: 'completed',
      'note#2': 'completed',
    });
  });

  test('takes its child runs along, each with its own cleanup, the inner one first', async () => {
    const { run, notes } = await start('outer');
    const inner = millrace.client.run(`${run.id}.hooked`);
    await running(inner, 'slow');
    await run.cancel({ by: 'ada', reason: 'wrong data' });
    await cancelled(run);
    const cause = 'onCancel {"by":"ada","reason":"wrong data"}';
    expect(await tidied(notes)).toEqual([cause, 'finally cancelled', cause, 'finally cancelled']);
    expect((await inner.view()).run.status).toBe('cancelled');
  });

  test('stays cancelled when its cleanup fails, which is recorded beside', async () => {
    const { run, notes } = await start('refused');
    await running(run, 'slow');
    await run.cancel({ by: 'ada' });
    const view = await cancelled(run);
    expect(view.run).toMatchObject({
      status: 'cancelled',
      failure: { code: 'RUN_CANCELLED' },
      cleanupFailure: { code: 'STEP_FAILED', what: expect.stringContaining('no luck') },
    });
    expect(await notes()).toEqual(['finally cancelled']);
    expect(await run.why()).toContainEqual(
      expect.objectContaining({ kind: 'cleanup', text: expect.stringContaining('no luck') }),
    );
  });

  test('ends when the time of its cleanup is over', async () => {
    const { run } = await start('endless');
    await running(run, 'slow');
    await run.cancel({ by: 'ada' });
    const view = await cancelled(run);
    expect(view.run.cleanupFailure).toMatchObject({ code: 'CLEANUP_ENDED' });
    expect(await statuses(run)).toEqual({ slow: 'cancelled', 'slow#2': 'cancelled' });
  });

  test('is cancelled a second time: that ends its cleanup too', async () => {
    const { run, notes } = await start('patient');
    await running(run, 'slow');
    await run.cancel({ by: 'ada' });
    await waitFor(async () => (await statuses(run))['slow'] === 'cancelled', {
      what: 'the step to be stopped',
    });
    await run.cancel({ by: 'bob' });
    const { run: record } = await cancelled(run);
    expect(record).toMatchObject({ cleanupFailure: { code: 'CLEANUP_ENDED' } });
    expect(await notes()).toEqual([]);
  });

  test('has no cleanup when that is asked', async () => {
    const { run, notes } = await start('outer');
    await running(millrace.client.run(`${run.id}.hooked`), 'slow');
    await run.cancel({ by: 'ada', force: true });
    await cancelled(run);
    expect(await tidied(notes)).toEqual([]);
  });

  test('is cancelled, too, when its last step was done and only its finally went on', async () => {
    const { run, notes } = await start('careful');
    await waitFor(
      async () =>
        (await temporal.workflow.getHandle(run.id).fetchHistory()).events?.some(
          ({ timerStartedEventAttributes: timer }) => Number(timer?.startToFireTimeout?.seconds) === 3_600,
        ),
      { what: 'its finally' },
    );
    await run.cancel({ by: 'ada' });
    await waitFor(async () => (await run.why()).some(({ kind }) => kind === 'cancelled'), {
      what: 'the run to know',
    });
    await run.cancel({ by: 'ada' });
    await cancelled(run);
    expect(await notes()).toEqual([]);
  });
});

describeWith({ temporal: true }, 'a run that ends by itself', () => {
  test.each([
    [
      'a failed one is told why, when its other steps have been stopped',
      'failing',
      'finally failed StepFailed',
    ],
    ['what a completed one gave counts, though its finally failed', 'fine', undefined],
  ])('runs its finally: %s', async (_, pipeline, line) => {
    const { client, project } = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
    const to = path.join(project, 'notes');
    await appendFile(to, '');
    const run = await client.start(pipeline, { to });
    const ended = await run.result().catch((error: Error) => error.name);
    expect(ended).toBe(line === undefined ? 'fine' : 'StepFailed');
    expect((await readFile(to, 'utf8')).trim()).toBe(line ?? '');
    const view = await run.view();
    if (line === undefined)
      expect(view.run).toMatchObject({ status: 'completed', cleanupFailure: { code: 'STEP_FAILED' } });
    else
      expect(view.steps.find(({ path: at }) => at === 'slow')).toMatchObject({
        status: 'cancelled',
        attempts: [{ status: 'cancelled' }],
      });
  });
});
