import { readFile } from 'node:fs/promises';
import type { RunHandle } from '../../../client/index.js';
import { isMillraceError } from '../../../sdk/errors.js';
import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const steps = `
import { writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { step, model, file } from 'millrace';
import { z } from 'zod';

const number = z.object({ n: z.number() });
export const double = step({ name: 'double', isolation: 'none', input: number, output: number }, ({ n }) => ({ n: n * 2 }));
export const add = step({ name: 'add', inline: true, input: number.extend({ by: z.number().default(1) }), output: number }, ({ n, by }) => ({ n: n + by }));
export const apart = step(
  { name: 'apart', isolation: 'process', input: number, output: z.object({ model: model(), n: z.number() }) },
  async ({ n }, { out, log, metric, progress }) => {
    log.info('working apart', { n });
    console.log('printed by the step');
    metric('loss', 0.5, 1);
    metric('loss', 0.25, 2);
    progress(0.5, 'half');
    await writeFile(out.model, 'weights ' + n);
    return { n };
  },
);
export const shell = step({
  name: 'shell', command: ['/bin/sh', '-c', 'printf "%s" "$0" > {out.text}; printf 42 > {out.n}', '{input.word}'],
  input: z.object({ word: z.string() }), output: z.object({ text: file(), n: z.number() }),
});
export const fails = step({ name: 'fails', isolation: 'none', input: number, output: number, retry: { attempts: 3, initialInterval: 10 } }, ({ n }) => { throw new Error('broken ' + n); });
export const flaky = step({ name: 'flaky', isolation: 'none', input: number, output: number, retry: { attempts: 3, initialInterval: 10 } }, ({ n }, { attempt }) => { if (attempt < 3) throw new Error('not yet'); return { n: attempt }; });
export const wrong = step({ name: 'wrong', isolation: 'none', input: number, output: z.object({ n: z.number(), text: z.string() }) }, (_, { log }) => { log.info('wrote a wrong n'); return { n: 'x', text: 'ok' } as never; });
export const lacking = step({ name: 'lacking', command: ['/bin/echo', 'wrote no model'], input: z.object({}), output: z.object({ model: model() }) });
export const slow = step({ name: 'slow', isolation: 'process', input: number, output: number }, async ({ n }, { signal }) => { await pause(60_000, undefined, { signal }); return { n }; });
`;

const pipelines = `
import { approval, atLeast, atMost, ApprovalRejected, GateFailed, gate, model, pipeline, promote, register, sleep, StepFailed, warn } from 'millrace';
import { z } from 'zod';
import { add, apart, double, fails, flaky, lacking, shell, slow, wrong } from './all.steps.js';

const number = z.object({ n: z.number() });
export const chain = pipeline({ name: 'chain', input: number }, async ({ n }) => {
  const many = await Promise.all([1, 2, 3].map((k) => double({ n: n * k })));
  const sum = await add({ n: many.reduce((total, each) => total + each.n, 0) });
  const made = await apart({ n: sum.n });
  const written = await shell({ word: 'it\\'s $HOME "quoted"' });
  return { sum: sum.n, model: made.model, text: written.text, n: written.n };
});
export const catches = pipeline({ name: 'catches', input: number }, async ({ n }) => {
  try { await fails({ n }); return 'no'; } catch (error) { return error instanceof StepFailed ? error.code : String(error); }
});
export const uncaught = pipeline({ name: 'uncaught', input: number }, async ({ n }) => fails({ n }));
export const retries = pipeline({ name: 'retries', input: number }, async ({ n }) => flaky({ n }));
export const breaks = pipeline({ name: 'breaks', input: number }, async ({ n }) => wrong({ n }));
export const lacks = pipeline({ name: 'lacks', input: z.object({}) }, async () => lacking({}));
export const bug = pipeline({ name: 'bug', input: number }, async () => { const nothing = undefined as unknown as { field: number }; return nothing.field; });
export const waits = pipeline({ name: 'waits', input: number }, async ({ n }) => slow({ n }));
export const gated = pipeline({ name: 'gated', input: z.object({ auc: z.number() }) }, async ({ auc }) => {
  const soft = await gate('soft', { auc: atLeast(auc, 2) }, { onFail: 'continue' });
  await gate('quality', { auc: atLeast(auc, 0.75), gap: warn(atMost(0.2, 0.1)) }, { evidence: { auc } });
  return soft.outcome;
});
export const released = pipeline({ name: 'released', input: z.object({ n: z.number(), within: z.string().optional() }) }, async ({ n, within }) => {
  const { model } = await apart({ n });
  const candidate = await register('small', { model, metrics: { n } });
  try {
    const decision = await approval('release', { of: candidate, evidence: { n }, ...(within && { within }) });
    const change = await promote(candidate);
    return { by: decision.by, change };
  } catch (error) {
    if (error instanceof ApprovalRejected) return { rejected: error.fields.reason };
    throw error;
  }
});
export const holds = pipeline({ name: 'holds', input: z.object({ ghost: model() }) }, async ({ ghost }) => ghost.digest);
export const child = pipeline({ name: 'child', input: number }, async ({ n }) => (await double({ n })).n);
export const parent = pipeline({ name: 'parent', input: number }, async ({ n }) => (await child({ n })) + (await child({ n: n + 1 })));
export const patient = pipeline({ name: 'patient', input: z.object({}), timeout: '2s' }, async () => sleep('1 hour'));
`;

describeWith({ temporal: true }, 'a run on a real Temporal service', () => {
  let millrace: TestMillrace;
  beforeAll(async () => {
    millrace = await startMillrace({
      files: { 'all.steps.ts': steps, 'all.pipeline.ts': pipelines },
      env: { MILLRACE_EXECUTOR: 'process' },
    });
  });
  const { start, code } = {
    start: (name: string, input: unknown, options?: object) => millrace.client.start(name, input, options),
    code: codeOf,
  };

  test('passes values and artifacts from step to step, each kind of step in its place', async () => {
    const run = await start('chain', { n: 1 }, { tags: { team: 'risk' } });
    const output = (await run.result()) as { sum: number; n: number; model: { digest: string } };
    expect(output).toMatchObject({
      sum: 13,
      n: 42,
      model: { $artifact: 'model', type: 'file', size: 10 },
      text: { $artifact: 'file' },
    });
    const view = await run.view();
    expect(view.run).toMatchObject({ status: 'completed', pipeline: 'chain', tags: { team: 'risk' } });
    expect(view.steps.map(({ path, status }) => `${path} ${status}`)).toEqual([
      'double completed', 'double#2 completed', 'double#3 completed', 'add completed', 'apart completed', 'shell completed',
    ]); // prettier-ignore
    const apart = view.steps.find(({ path }) => path === 'apart');
    expect(apart?.metrics).toMatchObject([{ name: 'loss', value: 0.25, index: 2 }]);
    expect(apart?.attempts).toMatchObject([
      { attempt: 1, status: 'completed', executor: 'process', exitCode: 0 },
    ]);
    const lines = [];
    for await (const line of run.logs({ step: 'apart' })) lines.push(line);
    expect(lines).toContainEqual(
      expect.objectContaining({ path: 'apart', attempt: 1, stream: 'out', text: 'printed by the step' }),
    );
    const text = await millrace.client.download(
      (output as never as { text: never }).text,
      `${millrace.project}/text`,
    );
    expect(text).toBeUndefined();
    expect(await readFile(`${millrace.project}/text`, 'utf8')).toBe(`it's $HOME "quoted"`);
  });

  test('an author catches the error of a step by its class; uncaught it ends the run with its code', async () => {
    expect(await (await start('catches', { n: 1 })).result()).toBe('STEP_FAILED');
    const run = await start('uncaught', { n: 7 });
    await expect(run.result()).rejects.toMatchObject({
      code: 'STEP_FAILED',
      message: expect.stringContaining('broken 7'),
      place: { run: run.id, step: 'fails', attempt: 3 },
    });
    const { steps: [step], run: row } = await run.view(); // prettier-ignore
    expect(row).toMatchObject({ status: 'failed', failure: { code: 'STEP_FAILED' } });
    expect(step?.attempts.map(({ attempt, status }) => [attempt, status])).toEqual([[3, 'failed'], [2, 'failed'], [1, 'failed']]); // prettier-ignore
  });

  test('a step is retried as often as it asks', async () => {
    expect(await (await start('retries', { n: 1 })).result()).toEqual({ n: 3 });
  });

  test('an output that breaks its schema names field, step and attempt, keeps its log, and is not tried again', async () => {
    const run = await start('breaks', { n: 1 });
    await expect(run.result()).rejects.toMatchObject({
      code: 'STEP_OUTPUT_INVALID',
      message: expect.stringMatching(/`n`: .*expected number.*\[run=\S+ step=wrong attempt=1\]/),
    });
    expect(await texts(run)).toEqual(['info: wrote a wrong n']);
    expect((await run.view()).steps[0]?.attempts).toHaveLength(1);
  });

  test('a declared file that is missing is named with step and attempt, and the log is kept', async () => {
    const run = await start('lacks', {});
    await expect(run.result()).rejects.toMatchObject({
      code: 'STEP_OUTPUT_MISSING',
      message: expect.stringMatching(/out\/model.*\[run=\S+ step=lacking attempt=1\]/),
    });
    expect(await texts(run)).toEqual(['wrote no model']);
  });

  test('an error in the pipeline itself fails the run, not the task', async () => {
    await expect((await start('bug', { n: 1 })).result()).rejects.toMatchObject({
      code: 'RUN_FAILED',
      message: expect.stringContaining('TypeError'),
    });
  });

  test('wrong input, an unknown pipeline and a missing artifact are refused before anything starts', async () => {
    const before = (await millrace.client.runs({ limit: 1_000 })).length;
    await expect(start('chain', { n: 'one' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('`n`: '),
    });
    await expect(start('chian', { n: 1 })).rejects.toMatchObject({
      code: 'UNKNOWN_PIPELINE',
      message: expect.stringContaining('Did you mean `chain`?'),
    });
    const ghost = {
      $artifact: 'model',
      digest: `sha256:${'0'.repeat(64)}`,
      type: 'file',
      size: 1,
      name: 'ghost',
    };
    await expect(start('chain', { n: 1, ghost })).rejects.toThrow('`ghost`: no such field');
    await expect(start('holds', { ghost })).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
    expect(await millrace.client.runs({ limit: 1_000 })).toHaveLength(before);
  });

  test('a gate returns its outcome, and throws with its numbers when it fails', async () => {
    expect(await (await start('gated', { auc: 0.8 })).result()).toBe('fail');
    const run = await start('gated', { auc: 0.7 });
    await expect(run.result()).rejects.toMatchObject({
      code: 'GATE_FAILED',
      message: expect.stringContaining('auc 0.7 >= 0.75: fail'),
    });
    const { gates } = await run.view();
    expect(gates.map(({ path, outcome }) => [path, outcome.outcome])).toEqual([['soft', 'fail'], ['quality', 'fail']]); // prettier-ignore
  });

  test('an approval waits, refuses what cannot count, and lets the run go on when granted', async () => {
    const run = await start('released', { n: 1 });
    await waitFor(async () => (await run.view()).approvals.some(({ status }) => status === 'open'), {
      what: 'the open gate',
    });
    const registered = async () => {
      const found = (await run.view()).steps.find(({ kind }) => kind === 'register');
      return [found?.scheduledAt, found?.closedAt];
    };
    const times = await registered();
    expect(await code(run.decide('relase', { decision: 'approved' }))).toBe('UNKNOWN_GATE');
    expect(await code(run.decide('release', { decision: 'rejected' }))).toBe('DECISION_REFUSED');
    await run.decide('release', { decision: 'approved', by: 'ada', reason: 'looks right' });
    const first = (await run.result()) as { by: string; change: { version: number } };
    expect(first).toMatchObject({ by: 'ada', change: { name: 'small', alias: 'champion' } });
    // The run's end writes its steps once more: what they took does not change by that.
    expect(times).toEqual([expect.any(String), expect.any(String)]);
    expect(await registered()).toEqual(times);
    expect(await code(run.decide('release', { decision: 'approved' }))).toBe('UNKNOWN_GATE');

    const second = await start('released', { n: 1 });
    await waitFor(async () => (await second.view()).approvals.length > 0);
    await second.decide('release', { decision: 'approved', by: 'bob' });
    expect(await second.result()).toMatchObject({
      change: { version: first.change.version + 1, former: first.change.version },
    });
    const model = await millrace.client.model('small');
    expect(model.aliases).toMatchObject([{ alias: 'champion', version: first.change.version + 1 }]);
    expect((await second.view()).approvals).toMatchObject([{ status: 'approved', decision: { by: 'bob' } }]);
  });

  test('a rejection reaches the author as a typed error, and an approval expires', async () => {
    const run = await start('released', { n: 2 });
    await waitFor(async () => (await run.view()).approvals.length > 0);
    await run.decide('release', { decision: 'rejected', by: 'ada', reason: 'too small' });
    expect(await run.result()).toEqual({ rejected: 'too small' });
    await expect((await start('released', { n: 3, within: '300 ms' })).result()).rejects.toMatchObject({
      code: 'APPROVAL_EXPIRED',
    });
  });

  test('pipelines call pipelines: child runs in one tree', async () => {
    const run = await start('parent', { n: 1 });
    expect(await run.result()).toBe(6);
    const view = await waitFor(async () => {
      const seen = await run.view();
      return seen.steps.every(({ status }) => status === 'completed') && seen;
    });
    expect(view.steps.map(({ path, kind, child }) => [path, kind, child?.run.pipeline, child?.steps.length])).toEqual([['child', 'pipeline', 'child', 1], ['child#2', 'pipeline', 'child', 1]]); // prettier-ignore
    expect((await millrace.client.runs({ limit: 1_000 })).map(({ id }) => id)).not.toContain(
      `${run.id}.child`,
    );
  });

  test('a run id is idempotent: the same start is the same run, another input is refused', async () => {
    const first = await start('chain', { n: 5 }, { runId: 'chain-by-name' });
    const again = await start('chain', { n: 5 }, { runId: 'chain-by-name' });
    expect(await again.result()).toEqual(await first.result());
    expect(await code(start('chain', { n: 6 }, { runId: 'chain-by-name' }))).toBe('RUN_EXISTS');
  });

  test('cancelling stops the step and closes the run', async () => {
    const run = await start('waits', { n: 1 });
    await waitFor(async () => (await run.view()).steps.some(({ status }) => status === 'running'), {
      what: 'the step to run',
    });
    await run.cancel();
    expect(await code(run.result())).toBe('RUN_CANCELLED');
    const view = await run.view();
    expect(view.run.status).toBe('cancelled');
    expect(view.steps).toMatchObject([
      { path: 'slow', status: 'cancelled', attempts: [{ status: 'cancelled' }] },
    ]);
  });

  test('a run longer than its timeout ends, and the catalog knows it', async () => {
    const run = await start('patient', {});
    expect(await code(run.result())).toBe('RUN_TIMEOUT');
    expect((await run.view()).run.status).toBe('timed_out');
    const sooner = await start('released', { n: 9 }, { timeout: '1s' });
    expect(await code(sooner.result())).toBe('RUN_TIMEOUT');
    expect((await sooner.view()).approvals.every(({ status }) => status === 'cancelled')).toBe(true);
  });

  test('a run terminated by another tool is told true', async () => {
    const run = await start('waits', { n: 2 });
    await waitFor(async () => (await run.view()).steps.some(({ status }) => status === 'running'));
    const { Client, Connection } = await import('@temporalio/client');
    const connection = await Connection.connect({ address: millrace.temporal.address });
    await new Client({ connection }).workflow.getHandle(run.id).terminate('by hand');
    await connection.close();
    const view = await run.view();
    expect(view.run.status).toBe('terminated');
    expect(view.steps).toMatchObject([{ path: 'slow', status: 'lost' }]);
  });

  test('a dry run checks and starts nothing', async () => {
    const before = (await millrace.client.runs({ limit: 1_000 })).length;
    expect(await millrace.client.dryRun('chain', { n: 1 })).toMatchObject({
      pipeline: 'chain',
      problems: [],
    });
    expect((await millrace.client.dryRun('chain', { n: 'x' })).problems).toMatchObject([
      { code: 'INVALID_INPUT' },
    ]);
    expect(await millrace.client.runs({ limit: 1_000 })).toHaveLength(before);
  });
});

async function texts(run: RunHandle): Promise<readonly string[]> {
  const found = [];
  for await (const { text } of run.logs()) found.push(text);
  return found;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    return isMillraceError(error) ? error.code : String(error);
  }
}
