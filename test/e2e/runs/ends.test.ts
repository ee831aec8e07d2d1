import { writeFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { searchAttributes } from '../../../sdk/protocol/names.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'e.steps.ts': `
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { step } from 'millrace';
import { z } from 'zod';
const none = z.object({});
export const lingers = step({ name: 'lingers', isolation: 'process', input: none, output: z.object({ n: z.number() }) }, () => { setInterval(() => undefined, 1_000); console.log('done'); return { n: 1 }; });
export const lingersInVain = step({ name: 'lingersInVain', isolation: 'process', input: none, output: none }, () => { setInterval(() => undefined, 1_000); throw new Error('no luck'); });
export const slow = step({ name: 'slow', isolation: 'none', input: none, output: none }, async (_, { signal }) => { await pause(600_000, undefined, { signal }); return {}; });
export const fails = step({ name: 'fails', isolation: 'none', input: none, output: none }, () => { throw new Error('soon'); });
export const half = step({ name: 'half', isolation: 'process', input: z.object({ until: z.string() }), output: none }, async ({ until }, { progress }) => {
  progress(0.5, 'half of it');
  while (!existsSync(until)) await pause(50);
  return {};
});`,
  'e.pipeline.ts': `
import { approval, pipeline, RunCancelled, RunFailed, RunTimeout } from 'millrace';
import { z } from 'zod';
import { fails, half, lingers, lingersInVain, slow } from './e.steps.js';
const none = z.object({});
export const lingering = pipeline({ name: 'lingering', input: none }, async () => lingers({}));
export const lingeringInVain = pipeline({ name: 'lingeringInVain', input: none }, async () => lingersInVain({}));
export const child = pipeline({ name: 'child', input: none }, async () => slow({}));
export const brief = pipeline({ name: 'brief', input: none, timeout: '2s' }, async () => slow({}));
export const parent = pipeline({ name: 'parent', input: none }, async () => child({}));
const named = (error: unknown) => error instanceof RunCancelled || error instanceof RunTimeout || error instanceof RunFailed ? error.code : String(error);
export const catching = pipeline({ name: 'catching', input: z.object({ brief: z.boolean() }) }, async (input) => {
  let code = 'none';
  try { await (input.brief ? brief({}) : child({})); } catch (error) { code = named(error); }
  await approval('go');
  return code;
});
export const stubborn = pipeline({ name: 'stubborn', input: none }, async () => {
  try { await slow({}); } catch { return 'kept on'; }
});
export const later = pipeline({ name: 'later', input: none }, async () => {
  const made = fails({});
  await approval('go');
  try { await made; return 'no'; } catch (error) { return (error as Error).name; }
});
export const halves = pipeline({ name: 'halves', input: z.object({ until: z.string() }) }, async (input) => half(input));`,
};

/** EVENT_TYPE_ACTIVITY_TASK_FAILED of the service's API. */
const activityFailed = 13;
/** EVENT_TYPE_MARKER_RECORDED: what a local activity gave. */
const markerRecorded = 25;

describeWith({ temporal: true }, 'ends of runs, and what people see until then', () => {
  let millrace: TestMillrace;
  let temporal: Client;
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
    const connection = await Connection.connect({ address: millrace.temporal.address });
    releaseAtEnd(() => connection.close());
    temporal = new Client({ connection });
  });
  const start = (name: string, input: unknown = {}) => millrace.client.start(name, input);
  const opened = (run: Awaited<ReturnType<typeof start>>) =>
    waitFor(async () => (await run.view()).approvals.some(({ status }) => status === 'open'), {
      what: 'the open gate',
    });
  const running = (id: string) =>
    waitFor(async () => (await millrace.client.run(id).view()).steps[0]?.status === 'running', {
      what: `a step of ${id} to run`,
    });

  test('a function step ends with its function, whatever that left open', async () => {
    const run = await start('lingering');
    expect(await run.result()).toEqual({ n: 1 });
    const lines = [];
    for await (const { text } of run.logs()) lines.push(text);
    expect(lines).toEqual(['done']);
    await expect((await start('lingeringInVain')).result()).rejects.toMatchObject({
      code: 'STEP_FAILED',
      message: expect.stringContaining('no luck'),
    });
  });

  test('a child run that is cancelled by itself fails its parent, and catalog and service agree', async () => {
    const run = await start('parent');
    await running(`${run.id}.child`);
    await millrace.client.run(`${run.id}.child`).cancel({ by: 'ada' });
    await expect(run.result()).rejects.toMatchObject({
      code: 'RUN_CANCELLED',
      message: expect.stringContaining(`\`${run.id}.child\` was cancelled`),
    });
    const view = await run.view();
    expect(view.run).toMatchObject({ status: 'failed', failure: { code: 'RUN_CANCELLED' } });
    expect(view.steps).toMatchObject([{ path: 'child', status: 'cancelled', child: { run: { status: 'cancelled' } } }]); // prettier-ignore
    expect((await temporal.workflow.getHandle(run.id).describe()).status.name).toBe('FAILED');
  });

  test('a parent that is cancelled takes its child along, and both are cancelled', async () => {
    const run = await start('parent');
    await running(`${run.id}.child`);
    await run.cancel({ by: 'ada' });
    await expect(run.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    const view = await run.view();
    expect(view.run.status).toBe('cancelled');
    expect(view.steps).toMatchObject([{ status: 'cancelled', child: { run: { status: 'cancelled' } } }]);
    expect((await temporal.workflow.getHandle(run.id).describe()).status.name).toBe('CANCELLED');
  });

  test.each([
    ['longer than its timeout', { brief: true }, 'RUN_TIMEOUT', 'timed_out'],
    ['terminated', { brief: false }, 'RUN_FAILED', 'terminated'],
  ])(
    'a child run that is %s is caught as what it is, and its row is closed while the parent goes on',
    async (_, input, code, status) => {
      const run = await start('catching', input);
      const child = `${run.id}.${input.brief ? 'brief' : 'child'}`;
      if (!input.brief) {
        await running(child);
        await temporal.workflow.getHandle(child).terminate('by hand');
      }
      await opened(run);
      expect((await run.view()).steps[0]).toMatchObject({ status: 'failed', child: { run: { status } } });
      await run.decide('go', { decision: 'approved', by: 'ada' });
      expect(await run.result()).toBe(code);
    },
  );

  test('a pipeline that catches its cancellation and returns is cancelled all the same', async () => {
    const run = await start('stubborn');
    await running(run.id);
    await run.cancel({ by: 'ada', reason: 'enough' });
    await expect(run.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    expect((await run.view()).run).toMatchObject({
      status: 'cancelled',
      failure: { what: 'The run was cancelled by ada: enough.' },
    });
    expect((await temporal.workflow.getHandle(run.id).describe()).status.name).toBe('CANCELLED');
  });

  test('a step may fail before its author awaits it', async () => {
    const run = await start('later');
    await waitFor(async () => (await run.view()).steps.some(({ status }) => status === 'failed'));
    await opened(run);
    await run.decide('go', { decision: 'approved', by: 'ada' });
    expect(await run.result()).toBe('StepFailed');
  });

  test('progress shows while the step runs', async () => {
    const until = `${millrace.project}/enough`;
    const run = await start('halves', { until });
    const step = await waitFor(
      async () => (await run.view()).steps.find(({ progress }) => progress !== undefined),
      { what: 'the progress' },
    );
    expect(step).toMatchObject({ status: 'running', progress: 0.5, detail: 'half of it' });
    const { raw } = await temporal.workflow.getHandle(run.id).describe();
    expect(raw.pendingActivities?.[0]?.heartbeatDetails).toBeDefined();
    await writeFile(until, '');
    await run.result();
  });

  test('runs are found in the service by pipeline, status and build', async () => {
    const run = await start('later');
    const listed = async (query: string) => {
      const ids = [];
      for await (const { workflowId } of temporal.workflow.list({ query })) ids.push(workflowId);
      return ids;
    };
    const { pipeline, status, build } = searchAttributes;
    const id = (await millrace.client.currentBuild()).id;
    const query = `${pipeline} = 'later' AND ${build} = '${id}' AND ${status} = `;
    await waitFor(async () => (await listed(`${query}'running'`)).includes(run.id), { what: 'the open run' });
    await opened(run);
    await run.decide('go', { decision: 'approved', by: 'ada' });
    await run.result();
    await waitFor(async () => (await listed(`${query}'completed'`)).includes(run.id), {
      what: 'the closed run',
    });
    expect(await listed(`${query}'running'`)).not.toContain(run.id);
  });

  test('a decision that is refused leaves no trace in the history', async () => {
    const run = await start('later');
    await opened(run);
    const history = async () =>
      (await temporal.workflow.getHandle(run.id).fetchHistory()).events?.map(({ eventType }) => eventType);
    const before = await waitFor(
      async () => {
        const events = await history();
        // Its step has failed, and what was decided about that is recorded.
        return events?.includes(activityFailed) && events.at(-1) === markerRecorded && events;
      },
      { what: 'the run to wait' },
    );
    await expect(run.decide('nope', { decision: 'approved', by: 'ada' })).rejects.toMatchObject({
      code: 'UNKNOWN_GATE',
    });
    await expect(run.decide('go', { decision: 'rejected', by: 'ada' })).rejects.toMatchObject({
      code: 'DECISION_REFUSED',
    });
    expect(await history()).toEqual(before);
    await run.decide('go', { decision: 'approved', by: 'ada' });
    await run.result();
    expect((await history())?.length).toBeGreaterThan(before.length);
  });
});
