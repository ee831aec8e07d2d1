import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ArtifactRef } from '../../../sdk/artifact.js';
import type { RunHandle } from '../../../client/index.js';
import { describeWith } from '../../support/describe-with.js';
import { runCli } from '../../support/run-cli.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'trainer/train.sh': `set -e
[ -f "$MILLRACE_DIR/in/table" ] || true
echo "source one, memory $1"
echo "$2" > "$3"
exit 3`,
  'r.steps.ts': `
import { writeFile } from 'node:fs/promises';
import { model, step } from 'millrace';
import { z } from 'zod';
export const train = step({ name: 'train', source: './trainer', command: ['sh', 'train.sh', 'x', '{input.word}', '{out.model}'],
  input: z.object({ word: z.string().default('one'), rows: z.number().max(10) }), output: z.object({ model: model() }) });
export const sibling = step({ name: 'sibling', isolation: 'process', input: z.object({}), output: z.object({ at: z.number() }) }, () => ({ at: Date.now() }));
export const optional = step({ name: 'optional', isolation: 'process', input: z.object({}), output: z.object({ note: z.string().optional() }) }, () => { throw new Error('no note'); });
export const scored = step({ name: 'scored', isolation: 'process', input: z.object({ good: z.boolean() }), output: z.object({ auc: z.number() }) },
  ({ good }) => { if (!good) throw new Error('bad input'); return { auc: 0.9 }; });
export const kept = step({ name: 'kept', isolation: 'process', cache: true, input: z.object({ of: z.string() }), output: z.object({ of: z.string() }) }, (input) => input);`,
  'r.pipeline.ts': `
import { pipeline, register } from 'millrace';
import { z } from 'zod';
import { kept, optional, scored, sibling, train } from './r.steps.js';
export const training = pipeline({ name: 'training', input: z.object({}), onFailure: 'park' }, async () => {
  const [made, other] = await Promise.all([train({ rows: 3 }), sibling({})]);
  const version = await register('mended', { model: made.model });
  return { version: version.version, at: other.at };
});
export const leaving = pipeline({ name: 'leaving', input: z.object({}), onFailure: { park: {} } }, async () => ({ note: (await optional({})).note ?? 'none' }));
export const scoring = pipeline({ name: 'scoring', input: z.object({}) }, async () => scored({ good: false }));
export const hurried = pipeline({ name: 'hurried', input: z.object({}), onFailure: { park: { deadline: '2s' } } }, async () => scored({ good: false }));
export const outer = pipeline({ name: 'outer', input: z.object({}) }, async () => leaving({}));
const input = z.object({ of: z.string() });
export const keeping = pipeline({ name: 'keeping', input }, async ({ of }) => kept({ of }));
export const below = pipeline({ name: 'below', input, onFailure: 'park' }, async ({ of }) => { await optional({}); return keeping({ of }); });
export const above = pipeline({ name: 'above', input }, async ({ of }) => { await outer({}); return kept({ of }); });
export const failing = pipeline({ name: 'failing', input: z.object({}) }, async () => { await outer({}); await scored({ good: false }); });
export const catching = pipeline({ name: 'catching', input }, async ({ of }) => { await failing({}).catch(() => undefined); return kept({ of }); });`,
};

describeWith({ temporal: true }, 'a step without attempts left', () => {
  let millrace: TestMillrace;
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
  });

  const parked = async (run: RunHandle, step: string) => {
    await waitFor(
      async () => (await run.view()).steps.find(({ path }) => path === step)?.status === 'parked',
      {
        what: `${step} to be parked`,
      },
    );
    return run;
  };
  const start = async (pipeline: string, step: string, onFailure?: 'park') =>
    parked(await millrace.client.start(pipeline, {}, onFailure ? { onFailure } : {}), step);
  const folder = async (text: string) => {
    const made = path.join(millrace.project, `mended-${Date.now()}`);
    await mkdir(made);
    await writeFile(path.join(made, 'train.sh'), text);
    return made;
  };

  test('is parked while its siblings go on, and a retry with another source ends the run', async () => {
    const run = await start('training', 'train');
    await waitFor(
      async () => (await run.view()).steps.find(({ path }) => path === 'sibling')?.status === 'completed',
    );
    const { steps, run: record } = await run.view();
    expect(record.status).toBe('running');
    expect(steps.find(({ path }) => path === 'train')).toMatchObject({
      status: 'parked',
      failure: { code: 'STEP_FAILED', fields: { exitCode: 3 } },
    });
    const source = await folder('echo "$2" > "$3"');
    await run.repair('train', {
      do: 'retry',
      source,
      input: { word: 'two' },
      by: 'ada',
      reason: 'a bad exit',
    });
    expect(await run.result()).toMatchObject({ version: expect.any(Number) });
    const train = (await run.view()).steps.find(({ path }) => path === 'train');
    expect(train).toMatchObject({
      status: 'completed',
      input: { word: 'two', rows: 3 },
      repair: {
        do: 'retry',
        by: 'ada',
        reason: 'a bad exit',
        input: ['word'],
        source: expect.stringMatching(/^sha256:/),
      },
      attempts: [
        { attempt: 2, status: 'completed' },
        { attempt: 1, status: 'failed' },
      ],
    });
    const { model } = (train?.output ?? {}) as { model: ArtifactRef<'model'> };
    expect(model.$artifact).toBe('model');
    const target = path.join(millrace.project, 'got');
    await millrace.client.download(model, target);
    expect(await readFile(target, 'utf8')).toBe('two\n');
    const why = await run.why('train');
    expect(why.map(({ kind }) => kind)).toEqual(['started', 'called', 'attempt', 'failed', 'park', 'repaired', 'attempt', 'completed', 'ended']); // prettier-ignore
    expect(why.find(({ kind }) => kind === 'repaired')?.text).toBe(
      'ada has it tried again with other source, input: a bad exit',
    );
  });

  test('takes an output that a person supplies, marked as such in lineage for ever', async () => {
    const run = await start('training', 'train');
    const file = path.join(millrace.project, 'by-hand.bin');
    await writeFile(file, `made by hand ${run.id}`);
    await run.repair('train', {
      do: 'supply',
      artifacts: { model: file },
      by: 'ada',
      reason: 'trained elsewhere',
    });
    const { version } = (await run.result()) as { version: number };
    const graph = await millrace.client.lineage(`mended@${version}`);
    expect(graph.nodes.find((node) => node.kind === 'step' && node.path === 'train')).toMatchObject({
      supplied: { by: 'ada', reason: 'trained elsewhere', skipped: false },
    });
  });

  test('refuses what does not fit its schema, and stays parked', async () => {
    const run = await start('training', 'train');
    const refused = (options: Parameters<RunHandle['repair']>[1], text: string) =>
      expect(run.repair('train', options)).rejects.toMatchObject({
        code: 'REPAIR_REFUSED',
        message: expect.stringContaining(text),
      });
    await refused({ do: 'skip' }, 'cannot be left out: `model`');
    await refused({ do: 'supply', output: { model: 'x' } }, 'cannot have this output: `model`');
    await refused({ do: 'supply', output: { bogus: 1 } }, 'has no output bogus');
    await refused({ do: 'supply', artifacts: { modle: '/etc/hostname' } }, 'no artifact `modle`');
    await refused({ do: 'retry', input: { rows: 11 } }, 'cannot have this input: `rows`');
    await refused({ do: 'retry', input: { row: 1 } }, 'has no input row');
    await refused({ do: 'retry', image: 'busybox:latest' }, 'runs in no image');
    await refused({ do: 'abort', by: ' ' }, 'names nobody');
    await expect(run.repair('train', { do: 'supply', artifacts: { model: '/nowhere' } })).rejects.toMatchObject({ code: 'INVALID_INPUT' }); // prettier-ignore
    const file = { do: 'retry', source: path.join(millrace.project, 'package.json') } as const;
    await expect(run.repair('train', file)).rejects.toThrow(/is a file: a source is a folder/);
    await expect(run.repair('sibling', { do: 'abort' })).rejects.toMatchObject({ code: 'REPAIR_REFUSED' });
    await expect(run.repair('nothing', { do: 'abort' })).rejects.toMatchObject({ code: 'UNKNOWN_STEP' });
    expect((await run.view()).steps.find(({ path }) => path === 'train')?.status).toBe('parked');
    await run.repair('train', { do: 'abort', by: 'ada', reason: 'no use' });
    await expect(run.result()).rejects.toMatchObject({ code: 'STEP_ABORTED', fields: { by: 'ada' } });
    await expect(run.repair('train', { do: 'abort' })).rejects.toMatchObject({ code: 'REPAIR_REFUSED' });
  });

  test('may be left out where its outputs are optional, also in a child run', async () => {
    const run = await millrace.client.start('outer', {});
    await waitFor(async () => (await run.view()).steps[0]?.child?.steps[0]?.status === 'parked');
    await run.repair('leaving/optional', { do: 'skip', by: 'ada' });
    expect(await run.result()).toEqual({ note: 'none' });
  });

  test.each([
    ['below', 'optional', 'in a child run that is called then'],
    ['above', 'outer/leaving/optional', 'in the runs above it'],
    ['catching', 'failing/outer/leaving/optional', 'where a run above it fails, too'],
  ])('keeps nothing in the cache that is made after it was left out: %s %s, %s', async (pipeline, step) => {
    const run = await millrace.client.start(pipeline, { of: pipeline });
    const isParked = async () => JSON.stringify((await run.view()).steps).includes('"parked"');
    await waitFor(isParked, { what: `${step} to be parked` });
    await run.repair(step, { do: 'skip', by: 'ada' });
    expect(await run.result()).toEqual({ of: pipeline });
    const again = async () => {
      const next = await millrace.client.start('keeping', { of: pipeline });
      await next.result();
      return (await next.view()).steps[0]?.cached?.run;
    };
    expect(await again()).toBeUndefined();
    // Which would have been taken.
    expect(await again()).toBeDefined();
  });

  test('is parked where the start of the run asks for it, and fails again as it did', async () => {
    const run = await start('scoring', 'scored', 'park');
    await run.repair('scored', { do: 'retry', by: 'ada' });
    await waitFor(async () => (await run.view()).steps[0]?.attempts.length === 2);
    await parked(run, 'scored');
    await run.repair('scored', { do: 'retry', input: { good: true } });
    expect(await run.result()).toEqual({ auc: 0.9 });
    expect((await run.view()).steps[0]?.attempts.map(({ attempt, status }) => `${attempt} ${status}`)).toEqual(['3 completed', '2 failed', '1 failed']); // prettier-ignore
  });

  test('is repaired from the command line, which says what was decided and why', async () => {
    const env = {
      TEMPORAL_ADDRESS: millrace.temporal.address,
      MILLRACE_QUEUE: millrace.config.queue,
      MILLRACE_EXECUTOR: 'process',
    };
    const cli = (...args: readonly string[]) => runCli([...args], { cwd: millrace.project, env });
    const { stdout } = await cli('run', 'scoring', '--input', '{}', '--park', '--json');
    const { run: id } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { run: string };
    await parked(millrace.client.run(id), 'scored');
    const shown = await cli('show', id);
    expect(shown.stdout).toContain(`millrace repair ${id} scored`);
    expect(await cli('repair', id, 'scored', '--retry', '--skip')).toMatchObject({ exitCode: 2 });
    expect(await cli('repair', id, 'scored', '--skip', '--memory', '1GiB')).toMatchObject({ exitCode: 2 });
    const wrong = await cli('repair', id, 'scored', '--output', '{"auc": "high"}');
    expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('REPAIR_REFUSED') });
    const done = await cli(
      'repair',
      id,
      'scored',
      '--output',
      '{"auc": 0.7}',
      '--reason',
      'seen by eye',
      '--by',
      'ada',
    );
    expect(done).toMatchObject({ exitCode: 0, stdout: `scored of ${id}: has the output you gave.\n` });
    expect(await millrace.client.run(id).result()).toEqual({ auc: 0.7 });
    const why = await cli('why', id, 'scored');
    expect(why.stdout).toMatch(/scored +repaired +ada supplied its output: seen by eye/);
  });

  test('fails when its deadline has passed', async () => {
    const run = await start('hurried', 'scored');
    await expect(run.result()).rejects.toMatchObject({ code: 'STEP_FAILED' });
    expect((await run.view()).steps).toMatchObject([{ status: 'failed' }]);
    expect((await run.why('scored')).map(({ text }) => text)).toContainEqual(
      'failed with attempt 1: nobody repaired it in time (STEP_FAILED)',
    );
  });

  test('goes on waiting when its workers are gone and come back', async () => {
    const run = await start('scoring', 'scored', 'park');
    await millrace.host.stop();
    const host = await millrace.startHost();
    await run.repair('scored', { do: 'supply', output: { auc: 0.5 } });
    expect(await run.result()).toEqual({ auc: 0.5 });
    await host.stop();
  });
});

const boxed = {
  'b.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
export const boxed = step({ name: 'boxed', image: 'busybox:latest', input: z.object({}), output: z.object({ made: z.string() }), resources: { memory: '32MiB' },
  command: ['sh', '-c', 'python3 -c "print(1)" && echo \\'{"made": "here"}\\' > $MILLRACE_DIR/output.json'] });`,
  'b.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { boxed } from './b.steps.js';
export const boxes = pipeline({ name: 'boxes', input: z.object({}), onFailure: 'park' }, async () => boxed({}));`,
};

describeWith({ temporal: true, docker: true }, 'a parked container', () => {
  test('is tried again in another image with other memory; one that cannot be had is refused', async () => {
    const { client } = await startMillrace({ files: boxed, env: { MILLRACE_EXECUTOR: 'docker' } });
    const run = await client.start('boxes', {});
    const isParked = async () => (await run.view()).steps[0]?.status === 'parked';
    await waitFor(isParked, { what: 'the step to be parked' });
    await expect(run.repair('boxed', { do: 'retry', image: 'nowhere.invalid/none:1' })).rejects.toMatchObject(
      {
        code: 'IMAGE_NOT_FOUND',
      },
    );
    expect(await isParked()).toBe(true);
    await run.repair('boxed', { do: 'retry', image: 'python:3.12-slim', memory: '64MiB', by: 'ada' });
    expect(await run.result()).toEqual({ made: 'here' });
    const [step] = (await run.view()).steps;
    expect(step?.repair).toMatchObject({ image: 'python:3.12-slim', memory: 2 ** 26 });
    expect(step?.attempts.map(({ resources }) => resources?.memory)).toEqual([2 ** 26, 2 ** 25]);
    expect(new Set(step?.attempts.map(({ image }) => image)).size).toBe(2);
  });
});
