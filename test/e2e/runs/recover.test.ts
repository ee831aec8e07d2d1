import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MillraceClient, RunHandle, RunView } from '../../../client/index.js';
import { planSummary } from '../../../client/index.js';
import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace, writeProject } from '../../support/start-millrace.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const pipelines = `
import { approval, atLeast, fetchData, gate, pipeline, promote, register } from 'millrace';
import { z } from 'zod';
import { blue, green, join, prepare, red, wide } from './fit.steps.js';
const rows = z.object({ rows: z.number() });
export const branches = pipeline({ name: 'branches', input: rows }, async ({ rows }) => {
  const { table } = await prepare({ rows });
  const candidate = await register('branches', { model: table });
  const fits = await Promise.all([red({ table }), green({ table }), blue({ table })]);
  await gate('enough', { score: atLeast(fits[2].score, 0) });
  await approval('release', { of: candidate });
  const { alias, version } = await promote(candidate);
  return { alias, version, scores: fits.map(({ score }) => score) };
});
const inner = pipeline({ name: 'inner', input: rows }, async ({ rows }) => {
  const { table } = await prepare({ rows });
  return { score: (await red({ table })).score };
});
export const nested = pipeline({ name: 'nested', input: rows }, async ({ rows }) => {
  const { score } = await inner({ rows });
  const { table } = await prepare({ rows });
  return { score: score + (await green({ table })).score };
});
export { inner };
export const released = pipeline({ name: 'released', input: z.object({ uri: z.string() }) }, async ({ uri }) => {
  const data = await fetchData(uri, { kind: 'model' });
  const { text } = await wide({ table: data });
  const version = await register('released', { model: data, evidence: { text } });
  await approval('go', { of: version, evidence: { text } });
  await red({ table: data });
  await green({ table: data });
  return { length: text.length, version: version.version };
});
export const joined = pipeline({ name: 'joined', input: rows }, async ({ rows }) => {
  const { table } = await prepare({ rows });
  const { score } = await red({ table });
  return join({ score });
});
`;
const stepsOf = (trace: string, { green = '2', red = '1' } = {}) => `
import { appendFileSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { model, step } from 'millrace';
import { z } from 'zod';
const ran = (what: string) => appendFileSync(${JSON.stringify(trace)}, what + '\\n');
const io = { isolation: 'process' as const, input: z.object({ table: model() }), output: z.object({ score: z.number() }) };
export const prepare = step({ name: 'prepare', isolation: 'process', input: z.object({ rows: z.number() }), output: z.object({ table: model() }) },
  async ({ rows }, { out }) => { ran('prepare'); await writeFile(out.table, 'x'.repeat(rows)); return {}; });
export const red = step({ ...io, name: 'red' }, async ({ table }) => { ran('red'); return { score: (await readFile(table.path)).length + ${red} }; });
export const green = step({ ...io, name: 'green' }, async () => { ran('green'); return { score: ${green} }; });
export const blue = step({ ...io, name: 'blue' }, async () => { ran('blue'); return { score: 3 }; });
export const wide = step({ name: 'wide', isolation: 'none', input: z.object({ table: model() }), output: z.object({ text: z.string() }) },
  () => { ran('wide'); return { text: 'x'.repeat(300_000) }; });
export const join = step({ name: 'join', isolation: 'none', input: z.object({ score: z.number() }), output: z.object({ text: z.string() }) },
  ({ score }) => { ran('join'); return { text: 'score ' + score }; });
`;
const broken = "(() => { throw new Error('green is broken'); })()";

/** Why a step that failed runs again on mended code. */
const mended = 'failed: STEP_FAILED; logic: the code of the step, its schemas or its imports changed';

describeWith({ temporal: true }, 'recovery', () => {
  let millrace: TestMillrace;
  let client: MillraceClient;
  let trace: string;
  beforeAll(async () => {
    trace = path.join(await temporaryFolder(), 'trace');
    await writeFile(trace, '');
    millrace = await startMillrace({
      files: { 'fit.steps.ts': stepsOf(trace, { green: broken }), 'branches.pipeline.ts': pipelines },
      env: { MILLRACE_EXECUTOR: 'process', MILLRACE_CPUS: '8' },
      build: 'watch',
    });
    client = millrace.client;
  });

  /** What ran since the last time this was asked. */
  let seen = 0;
  const ranSince = async (): Promise<readonly string[]> => {
    const lines = (await readFile(trace, 'utf8')).split('\n').filter(Boolean);
    const fresh = lines.slice(seen).sort();
    seen = lines.length;
    return fresh;
  };
  const rebuild = async (text: string): Promise<void> => {
    const before = (await client.currentBuild()).id;
    await writeProject(millrace.project, { 'fit.steps.ts': text });
    await waitFor(async () => (await client.currentBuild()).id !== before, { what: 'the new build' });
  };
  const terminate = async (id: string): Promise<void> => {
    const { Client, Connection } = await import('@temporalio/client');
    const connection = await Connection.connect({ address: millrace.temporal.address });
    await new Client({ connection }).workflow.getHandle(id).terminate('by the test');
    await connection.close();
  };
  const ended = (run: RunHandle) =>
    run.result().then(
      (value) => ({ value }),
      (error: { readonly code: string }) => ({ code: error.code }),
    );

  test('of three branches only the failed one runs again on mended code, and nothing is registered twice', async () => {
    const first = await client.start('branches', { rows: 5 });
    expect(await ended(first)).toEqual({ code: 'STEP_FAILED' });
    expect(await ranSince()).toEqual(['blue', 'green', 'prepare', 'red']);
    await expect(client.recover(first.id, { from: ['gren'] })).rejects.toMatchObject({
      code: 'UNKNOWN_STEP',
      message: expect.stringContaining('Did you mean `green`?'),
    });

    await rebuild(stepsOf(trace));
    const { plan } = await client.recover(first.id, { plan: true });
    expect(planSummary(plan)).toBe(`planned 5, reused 4, run 1, changed 1 because green: ${mended}`);
    expect(plan.steps.map(({ path: at, action, why }) => `${at}: ${action} (${why})`)).toEqual([
      `prepare: reuse (from ${first.id})`,
      `register: reuse (from ${first.id})`,
      `red: reuse (from ${first.id})`,
      `green: run (${mended})`,
      `blue: reuse (from ${first.id})`,
    ]);
    expect(await ranSince()).toEqual([]);

    const { run } = await client.recover(first.id);
    await waitFor(async () => (await run!.view()).approvals.length > 0, { what: 'the approval' });
    await expect(client.recover(run!.id)).rejects.toMatchObject({ code: 'RUN_OPEN' });
    await run!.decide('release', { decision: 'approved', by: 'ada' });
    expect(await run!.result()).toEqual({ alias: 'champion', version: 1, scores: [6, 2, 3] });
    expect(await ranSince()).toEqual(['green']);
    const view = await run!.view();
    expect(view.run.recovers).toBe(first.id);
    const reusedOf = ({ steps }: RunView) =>
      Object.fromEntries(
        steps.map(({ path: at, reused }) => [at, reused ? `${reused.run} ${reused.path}` : undefined]),
      );
    expect(reusedOf(view)).toEqual({
      prepare: `${first.id} prepare`,
      register: `${first.id} register`,
      red: `${first.id} red`,
      green: undefined,
      blue: `${first.id} blue`,
      enough: undefined,
      release: undefined,
      promote: undefined,
    });
    expect((await client.model('branches')).versions).toHaveLength(1);
    const why = (await run!.why()).map(({ path: at, kind, text }) => `${at} ${kind} ${text}`);
    expect(why).toContain(`red reused reused from ${first.id} red: the same call of the same code`);
    expect(why).toContain(`green anew not reused from ${first.id}: failed: STEP_FAILED; changed: logic`);

    // Once more, and nothing at all is done again: the decision stands, the alias is not moved.
    const again = await client.recover(run!.id);
    expect(planSummary(again.plan)).toBe('planned 8, reused 8, run 0, changed 0');
    expect(await again.run!.result()).toEqual(await run!.result());
    expect(await ranSince()).toEqual([]);
    const last = await again.run!.view();
    const { steps } = last;
    expect(steps.find(({ path: at }) => at === 'release')).toMatchObject({
      status: 'completed',
      reused: { run: run!.id, path: 'release' },
      output: { decision: 'approved', by: 'ada' },
    });
    expect(reusedOf(last)).toMatchObject({ prepare: `${first.id} prepare`, green: `${run!.id} green` });
    expect((await client.model('branches')).versions).toHaveLength(1);
  });

  test('what is asked for runs again with all that takes what it makes, though it comes out the same', async () => {
    const first = await client.start('joined', { rows: 3 });
    await first.result();
    await ranSince();
    const { plan, run } = await client.recover(first.id, { from: ['red'] });
    expect(planSummary(plan)).toBe('planned 3, reused 1, run 1, depends 1, changed 0');
    expect(plan.steps.map(({ path: at, action, why }) => `${at}: ${action} (${why})`)).toEqual([
      `prepare: reuse (from ${first.id})`,
      'red: run (asked for)',
      'join: depends (takes what red makes)',
    ]);
    expect(plan.notes).toEqual([
      expect.stringContaining('What comes after red is planned as if nothing of what it gives changed'),
    ]);
    expect(await run!.result()).toEqual(await first.result());
    expect(await ranSince()).toEqual(['join', 'red']);
  });

  test('inside a child run its own results are reused', async () => {
    await rebuild(stepsOf(trace, { green: broken }));
    const first = await client.start('nested', { rows: 4 });
    expect(await ended(first)).toEqual({ code: 'STEP_FAILED' });
    await rebuild(stepsOf(trace, { red: '10' }));
    await ranSince();
    const { plan, run } = await client.recover(first.id);
    expect(planSummary(plan)).toMatch(
      /^planned 4, reused 2, run 2, changed 2 because inner\/red: logic: the code of the step.*; green: failed: STEP_FAILED; logic: /,
    );
    expect(await run!.result()).toEqual({ score: 16 });
    expect(await ranSince()).toEqual(['green', 'red']);
    const view = await run!.view();
    expect(view.steps.find(({ path: at }) => at === 'inner')?.child?.steps).toMatchObject([
      { path: 'prepare', reused: { run: `${first.id}.inner`, path: 'prepare' } },
      { path: 'red' },
    ]);
  });

  test('a run that was terminated goes on with its large values, what it fetched, registered and was approved', async () => {
    await rebuild(stepsOf(trace, { green: broken }));
    await ranSince();
    const file = path.join(millrace.project, 'data.bin');
    await writeFile(file, 'as it was');
    const first = await client.start('released', { uri: `file://${file}` });
    await waitFor(async () => (await first.view()).approvals.length > 0, { what: 'the approval' });
    await first.decide('go', { decision: 'approved', by: 'ada' });
    expect(await ended(first)).toEqual({ code: 'STEP_FAILED' });
    await rebuild(stepsOf(trace));
    await writeFile(file, 'as it is now');
    const { plan, run } = await client.recover(first.id);
    expect(planSummary(plan)).toBe(`planned 6, reused 5, run 1, changed 1 because green: ${mended}`);
    expect(await run!.result()).toEqual({ length: 300_000, version: 1 });
    expect(await ranSince()).toEqual(['green', 'green', 'red', 'wide']);
    expect((await client.model('released')).versions).toHaveLength(1);
    expect((await run!.view()).approvals).toEqual([]);

    // Read anew, its bytes are others: another version, and nobody has approved that.
    const anew = await client.recover(run!.id, { from: ['fetchData'] });
    await waitFor(async () => (await anew.run!.view()).approvals.length > 0, { what: 'the question' });
    expect(await ranSince()).toEqual(['wide']);
    expect((await anew.run!.view()).approvals).toMatchObject([{ status: 'open', of: { version: 2 } }]);
    // Whatever ended it: what it did is there for the next.
    await terminate(anew.run!.id);
    await waitFor(async () => (await anew.run!.view()).run.status === 'terminated', { what: 'its end' });
    const last = await client.recover(anew.run!.id);
    expect(last.plan.steps.map(({ path: at, action }) => `${at} ${action}`)).toEqual([
      'fetchData reuse',
      'wide reuse',
      'register reuse',
      'go run',
    ]);
    await waitFor(async () => (await last.run!.view()).approvals.length > 0, { what: 'the question again' });
    await last.run!.decide('go', { decision: 'rejected', by: 'bob', reason: 'no' });
    expect(await ended(last.run!)).toEqual({ code: 'APPROVAL_REJECTED' });
    expect((await client.model('released')).versions).toHaveLength(2);
    const rejected = await client.recover(last.run!.id);
    expect(rejected.plan.notes).toEqual([
      expect.stringContaining('The run will end so again: APPROVAL_REJECTED'),
    ]);
    expect(await ended(rejected.run!)).toEqual({ code: 'APPROVAL_REJECTED' });
    expect((await rejected.run!.view()).steps.find(({ path: at }) => at === 'go')).toMatchObject({
      status: 'failed',
      reused: { run: last.run!.id, path: 'go' },
    });
  });

  test('a result whose content is gone is made again', async () => {
    const first = await client.start('joined', { rows: 77 });
    await first.result();
    await ranSince();
    const { table } = (await first.view()).steps[0]!.output as { table: { digest: string } };
    await removeBlob(millrace.config.stateDir, table.digest);
    const { plan, run } = await client.recover(first.id);
    expect(plan.steps).toMatchObject([
      { path: 'prepare', action: 'run', why: 'its content is gone: table' },
      { path: 'red', action: 'depends', on: ['prepare'] },
      { path: 'join', action: 'depends', on: ['red'] },
    ]);
    expect(await run!.result()).toEqual(await first.result());
    // The same bytes came out: what takes them is what it was.
    expect(await ranSince()).toEqual(['prepare']);
  });
});

describeWith({ temporal: true, docker: true }, 'recovery of containers', () => {
  const steps = (command: string) => `
import { file, step } from 'millrace';
import { z } from 'zod';
const io = { image: 'busybox:latest', input: z.object({ n: z.number() }), output: z.object({ out: file() }) };
export const well = step({ ...io, name: 'well', command: ['sh', '-c', 'echo {input.n} > {out.out}'] });
export const badly = step({ ...io, name: 'badly', command: ['sh', '-c', ${JSON.stringify(command)}] });`;

  test('starts one container: of the step that failed', async () => {
    const millrace = await startMillrace({
      files: {
        'b.steps.ts': steps('exit 3'),
        'b.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { badly, well } from './b.steps.js';
export const boxes = pipeline({ name: 'boxes', input: z.object({}) }, async () => {
  const made = await Promise.all([well({ n: 1 }), well({ n: 2 }), badly({ n: 3 })]);
  return made.map(({ out }) => out.size);
});`,
      },
      env: { MILLRACE_EXECUTOR: 'docker' },
      build: 'watch',
    });
    const { client } = millrace;
    const first = await client.start('boxes', {});
    await expect(first.result()).rejects.toMatchObject({ code: 'STEP_FAILED' });
    const before = (await client.currentBuild()).id;
    await writeProject(millrace.project, { 'b.steps.ts': steps('echo mended > {out.out}') });
    await waitFor(async () => (await client.currentBuild()).id !== before, { what: 'the new build' });
    const { plan, run } = await client.recover(first.id);
    // A container that was stopped with the run has no result.
    const done = plan.steps.filter(({ action }) => action === 'reuse').map(({ path: at }) => at);
    expect(plan.steps.filter(({ action }) => action === 'run').map(({ why }) => why)).toContainEqual(
      expect.stringMatching(/^failed: STEP_FAILED; command: .* → .*mended/),
    );
    expect(plan.notes.join()).not.toContain('images');
    expect(await run!.result()).toEqual([2, 2, 7]);
    const { steps: shown } = await run!.view();
    expect(
      shown
        .filter(({ attempts }) => attempts.length === 0)
        .map(({ path: at }) => at)
        .sort(),
    ).toEqual([...done].sort());
    expect(shown.find(({ name }) => name === 'badly')).toMatchObject({ attempts: [{ executor: 'docker' }] });
  });
});

async function removeBlob(stateDir: string, digest: string): Promise<void> {
  const hex = digest.slice('sha256:'.length);
  const blobs = (await readdir(stateDir, { recursive: true })).filter((name) =>
    name.replaceAll(path.sep, '').endsWith(hex),
  );
  expect(blobs).toHaveLength(1);
  for (const name of blobs) await rm(path.join(stateDir, name), { force: true });
}
