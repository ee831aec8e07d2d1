import { createReadStream } from 'node:fs';
import { readdir, readFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { createClient } from '../../../client/index.js';
import type { ArtifactRef } from '../../../sdk/artifact.js';
import { isStoredValue } from '../../../sdk/stored-value.js';
import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'v.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
const text = z.object({ text: z.string() });
const size = z.object({ size: z.number(), letter: z.string().default('x') });
export const grow = step({ name: 'grow', isolation: 'none', input: size, output: text }, ({ size, letter }) => ({ text: letter.repeat(size) }));
export const write = step({ name: 'write', isolation: 'process', input: size, output: text }, ({ size, letter }) => ({ text: letter.repeat(size) }));
export const take = step({ name: 'take', isolation: 'none', input: text, output: z.object({ n: z.number(), end: z.string() }) }, ({ text }) => ({ n: text.length, end: text.slice(-3) }));
export const measure = step({ name: 'measure', isolation: 'process', input: text, output: z.object({ n: z.number() }) }, ({ text }) => ({ n: text.length }));
export const glue = step({ name: 'glue', inline: true, input: z.object({ size: z.number() }), output: text }, ({ size }) => ({ text: 'g'.repeat(size) }));`,
  'v.pipeline.ts': `
import { approval, atLeast, gate, pipeline } from 'millrace';
import { z } from 'zod';
import { glue, grow, measure, take, write } from './v.steps.js';
const many = z.object({ size: z.number(), count: z.number() });
const size = z.object({ size: z.number() });
const all = (count, work) => Promise.all(Array.from({ length: count }, (_, index) => work(index)));
export const child = pipeline({ name: 'child', input: z.object({ text: z.string() }) }, async ({ text }) => text + '!');
export const everywhere = pipeline({ name: 'everywhere', input: z.object({ text: z.string(), extra: z.any() }) }, async ({ text, extra }) => {
  const grown = await grow({ size: text.length, letter: 'ä' });
  const glued = await glue({ size: text.length });
  const written = await write({ size: text.length, letter: 'é' });
  const taken = await take({ text: text + grown.text + glued.text });
  const measured = await measure({ text: written.text });
  await gate('quality', { n: atLeast(taken.n, 1) }, { evidence: { why: text } });
  await approval('release', { evidence: { why: text } });
  const answer = await child({ text });
  return { taken, measured, answer, extra };
});
export const parallelInputs = pipeline({ name: 'parallelInputs', input: many }, async ({ size, count }) => (await all(count, (i) => take({ text: String(i).padEnd(size, '.') }))).length);
export const parallelOutputs = pipeline({ name: 'parallelOutputs', input: many }, async ({ size, count }) => (await all(count, (i) => grow({ size, letter: String(i % 10) }))).length);
export const parallelGlue = pipeline({ name: 'parallelGlue', input: many }, async ({ size, count }) => (await all(count, () => glue({ size }))).length);
export const children = pipeline({ name: 'children', input: many }, async ({ size, count }) => (await all(count, (i) => child({ text: String(i).padEnd(size, '.') }))).length);
export const waiting = pipeline({ name: 'waiting', input: size }, async ({ size }) => {
  const { text } = await grow({ size });
  await approval('go');
  return text.length;
});
export const handed = pipeline({ name: 'handed', input: size }, async ({ size }) => {
  await approval('go');
  return (await take({ text: 'h'.repeat(size) })).n;
});`,
};

const megabyte = 2 ** 20;

describeWith({ temporal: true }, 'large values', () => {
  let millrace: TestMillrace;
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
  });

  const open = async (name: string, input: object, gate: string) => {
    const run = await millrace.client.start(name, input);
    await waitFor(async () => (await run.view()).approvals.some(({ status }) => status === 'open'), {
      what: `${gate} to be asked`,
    });
    return run;
  };
  const storeFolder = () => path.join(millrace.config.store.slice('file:'.length), 'v1/blobs/sha256');
  const blobPath = (digest: string) => path.join(storeFolder(), digest.slice(7, 9), digest.slice(9));

  test('travel wherever a value may, and neither history nor catalog holds them', async () => {
    const text = 't'.repeat(3 * megabyte);
    const ref = await millrace.client.upload(path.join(millrace.project, 'package.json'));
    const extra = { ref, list: Array.from({ length: 30_000 }, (_, n) => ({ n })) };
    const run = await open('everywhere', { text, extra }, 'release');
    await run.decide('release', { decision: 'approved', by: 'ada', reason: 'r'.repeat(200_000) });
    const expected = {
      taken: { n: 9 * megabyte, end: 'ggg' },
      measured: { n: 3 * megabyte },
      answer: `${text}!`,
      extra,
    };
    expect(await run.result()).toEqual(expected);
    await waitFor(async () => (await run.view()).run.status === 'completed');

    await using connection = await connect(millrace);
    // A client that knows no store says so, and hands out nothing half.
    const blind = new Client({ connection }).workflow.getHandle(run.id).result();
    await expect(blind).rejects.toThrow(/external storage/i);
    const raw = await rawHistory(connection, run.id);
    expect(raw).not.toMatch(/t{1000}|g{1000}/);
    expect(raw.length).toBeLessThan(200_000);
    const database = await readFile(millrace.config.catalog.slice('sqlite:'.length), 'latin1');
    expect(database).not.toMatch(/t{1000}|g{1000}/);

    const view = await run.view();
    expect(view.run.input).toEqual({ $value: expect.stringMatching(/^sha256:/), size: expect.any(Number) });
    const step = (name: string) => view.steps.find(({ path: at }) => at === name);
    expect(step('take')?.output).toEqual({ n: 9 * megabyte, end: 'ggg' });
    for (const value of [
      view.run.output,
      step('grow')?.output,
      step('take')?.input,
      view.gates[0]?.evidence,
      view.approvals[0]?.evidence,
    ])
      expect(isStoredValue(value)).toBe(true);
    // As another process reads an older run.
    await using other = await createClient({ config: millrace.config, address: millrace.temporal.address });
    const whole = await other.run(run.id).view({ values: true });
    expect(whole.run.input).toEqual({ text, extra });
    expect(whole.run.output).toEqual(expected);
    expect(whole.gates[0]?.evidence).toEqual({ why: text });
    expect(whole.steps.find(({ path: at }) => at === 'write')?.output).toEqual({
      text: 'é'.repeat(3 * megabyte),
    });
    expect(whole.steps.find(({ path: at }) => at === 'child')?.child?.run.output).toBe(`${text}!`);
    // The same start again is the same run.
    expect((await other.start('everywhere', { text, extra }, { runId: run.id })).id).toBe(run.id);
    expect(((await other.run(run.id).result()) as { extra: { ref: ArtifactRef } }).extra.ref).toEqual(ref);
  });

  test.each([
    ['parallelInputs', 60],
    ['parallelOutputs', 60],
    ['parallelGlue', 60],
    ['children', 40],
  ])('a message holds many that are small each: %s', async (name, count) => {
    // Each stays below the bound; together they are 7 MB, and Temporal refuses a message of 4.
    const run = await millrace.client.start(name, { size: 120_000, count });
    expect(await run.result()).toBe(count);
  });

  test('a run waits for a value that is gone, says so, and goes on when it is back', async () => {
    const run = await open('waiting', { size: 2 * megabyte }, 'go');
    const blobs = await blobsLike(storeFolder(), 'xxxxxxxx');
    expect(blobs.length).toBeGreaterThan(0);
    const aside = await temporaryFolder();
    for (const blob of blobs) await rename(blob, path.join(aside, path.basename(blob)));
    // A worker that was there from the beginning has the value in memory.
    await millrace.host.stop();
    const host = await millrace.startHost();
    await run.decide('go', { decision: 'approved', by: 'ada' }).catch(() => undefined);
    await waitFor(async () => (await run.view()).run.failure?.code === 'ARTIFACT_MISSING', {
      what: 'the run to say what it lacks',
      timeoutMs: 60_000,
    });
    expect((await run.view()).run).toMatchObject({
      status: 'running',
      failure: { what: expect.stringMatching(/cannot go on: .*sha256:/), fields: { blocked: true } },
    });
    for (const blob of blobs) await rename(path.join(aside, path.basename(blob)), blob);
    await waitFor(
      async () => {
        await run.decide('go', { decision: 'approved', by: 'ada' }).catch(() => undefined);
        return (await run.view()).run.status === 'completed';
      },
      { what: 'the run to complete', timeoutMs: 90_000, intervalMs: 1_000 },
    );
    expect(await run.result()).toBe(2 * megabyte);
    expect((await run.view()).run.failure).toBeUndefined();
    await host.stop();
    millrace = { ...millrace, host: await millrace.startHost() };
  });

  test('a client that finds a value missing or changed names it', async () => {
    const run = await millrace.client.start('child', { text: 'c'.repeat(megabyte) });
    await run.result();
    await waitFor(async () => (await run.view()).run.status === 'completed');
    const { output } = (await run.view()).run;
    if (!isStoredValue(output)) throw new Error('not by reference');
    const at = blobPath(output.$value);
    const bytes = await buffer(createReadStream(at));
    expect(bytes).toHaveLength(output.size);
    await rename(at, `${at}.aside`);
    await expect(run.view({ values: true })).rejects.toMatchObject({
      code: 'ARTIFACT_MISSING',
      message: expect.stringContaining(output.$value),
    });
    await rename(`${at}.aside`, at);
    await run.view({ values: true });
  });
});

const connect = ({ temporal }: TestMillrace) =>
  Connection.connect({ address: temporal.address }).then((connection) =>
    Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() }),
  );

/** The history as the service has it. */
async function rawHistory(connection: Connection, run: string): Promise<string> {
  const { history } = await connection.workflowService.getWorkflowExecutionHistory({
    namespace: 'default',
    execution: { workflowId: run },
  });
  return historyToJSON(history!);
}

async function blobsLike(folder: string, content: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    const file = path.join(folder, name);
    const { size } = await stat(file);
    if (size > megabyte && (await readFile(file, 'latin1')).includes(content)) found.push(file);
  }
  return found;
}
