import { z } from 'zod';
import { dataset, model, report } from '../../../sdk/artifact.js';
import { DefinitionInvalid, NotInPipeline } from '../../../sdk/errors.js';
import { image } from '../../../sdk/image.js';
import { isPipeline, pipeline, PIPELINE } from '../../../sdk/pipeline.js';
import type { PipelineRuntime } from '../../../sdk/runtime.js';
import { installRuntime } from '../../../sdk/runtime.js';
import { isStep, STEP, step } from '../../../sdk/step.js';
import { collectSteps } from '../../../sdk/collect-steps.js';
import { approval } from '../../../sdk/approval.js';
import { gate } from '../../../sdk/gate.js';
import { promote, register } from '../../../sdk/registry.js';
import { fetchData, runInfo, sleep } from '../../../sdk/words.js';

const none = { input: z.object({}), output: z.object({}) };
const io = {
  input: z.object({ table: dataset(), trees: z.number().default(100) }),
  output: z.object({
    model: model(),
    plot: report().optional(),
    auc: z.number(),
    notes: z.string().optional(),
  }),
};
const command = ['train', '{in.table}', '--trees={input.trees}', '{out.model}'];
type Options = Parameters<typeof step>[0];
const specOf = (options: object, handler?: () => object) =>
  step({ name: 'train', ...none, ...options } as Options, handler as never)[STEP].spec;

describe('a step', () => {
  it('has every default filled in', () => {
    expect(specOf({ ...io, command })).toEqual({
      name: 'train',
      version: undefined,
      run: 'command',
      isolation: 'process',
      image: undefined,
      command,
      env: {},
      secrets: [],
      resources: { cpus: 1, memory: 2 ** 30, gpus: 0, shm: 2 ** 26, pids: 4096, disk: 10 * 2 ** 30 },
      network: false,
      timeoutMs: 86_400_000,
      queueTimeoutMs: undefined,
      stepTimeoutMs: undefined,
      onFailure: undefined,
      retry: {
        attempts: 1, initialIntervalMs: 1_000, backoff: 2, maximumIntervalMs: 60_000, jitter: 0.2,
        finalExitCodes: [],
        moreMemory: undefined,
        kinds: {
          preempted: { attempts: 20, initialIntervalMs: 1_000, backoff: 2, maximumIntervalMs: 20_000, jitter: 0.2 },
          worker_lost: { attempts: 20, initialIntervalMs: 1_000, backoff: 2, maximumIntervalMs: 20_000, jitter: 0.2 },
          infrastructure: { attempts: 20, initialIntervalMs: 1_000, backoff: 2, maximumIntervalMs: 20_000, jitter: 0.2 },
        },
      }, // prettier-ignore
      stopGraceMs: 10_000,
      checkpoint: { everyMs: 30_000, maximum: 10 * 2 ** 30 },
      artifacts: [
        { name: 'model', kind: 'model', optional: false },
        { name: 'plot', kind: 'report', optional: true },
      ],
      values: ['auc', 'notes'],
      source: undefined,
    });
  });

  it('keeps what it was given, in one unit', () => {
    const spec = specOf({
      command: ['a'],
      image: 'python:3.12-slim',
      source: './trainer',
      secrets: ['ONE', { name: 'TWO', env: true }, { name: 'THREE' }],
      env: { LANG: 'C' },
      resources: { cpus: 0.5, memory: '4GiB', gpus: 2, shm: '1g', pids: 10, disk: 5 },
      network: true,
      timeout: '2h',
      retry: { attempts: 3, initialInterval: '2s', backoff: 1.5, maximumInterval: '5 minutes' },
      version: '7',
    });
    expect(spec).toMatchObject({
      version: '7',
      isolation: 'container',
      image: { kind: 'reference', reference: 'python:3.12-slim' },
      source: './trainer',
      env: { LANG: 'C' },
      secrets: [
        { name: 'ONE', env: false },
        { name: 'TWO', env: true },
        { name: 'THREE', env: false },
      ],
      resources: { cpus: 0.5, memory: 2 ** 32, gpus: 2, shm: 2 ** 30, pids: 10, disk: 5 },
      network: true,
      timeoutMs: 7_200_000,
      retry: expect.objectContaining({
        attempts: 3,
        initialIntervalMs: 2_000,
        backoff: 1.5,
        maximumIntervalMs: 300_000,
      }),
    });
  });

  it.each([
    ['a command without image', { command: ['a'] }, false, 'process', undefined],
    ['a command with an image', { command: ['a'], image: 'x' }, false, 'container', 'x'],
    ['a function', {}, true, 'container', 'node:22-slim'],
    ['a function with an image', { image: 'node:24' }, true, 'container', 'node:24'],
    ['a function as a process', { isolation: 'process' }, true, 'process', undefined],
    ['a function in the worker', { isolation: 'none' }, true, 'none', undefined],
    ['an inline function', { inline: true }, true, 'inline', undefined],
  ])('runs where it should: %s', (_, options, isFunction, isolation, reference) => {
    const spec = specOf(options, isFunction ? () => ({}) : undefined);
    expect(spec.isolation).toBe(isolation);
    expect(spec.image).toEqual(reference === undefined ? undefined : { kind: 'reference', reference });
    expect(spec.run).toBe(isFunction ? 'function' : 'command');
  });

  it('may be built from a folder', () => {
    expect(
      specOf({ command: ['a'], image: image.build('./gpu', { dockerfile: 'Dockerfile.cuda' }) }).image,
    ).toEqual({
      kind: 'build',
      context: './gpu',
      dockerfile: 'Dockerfile.cuda',
    });
    expect(image.build('.')).toMatchObject({ dockerfile: 'Dockerfile' });
  });

  it('waits at most as long as its first wait where that is above a minute', () => {
    expect(specOf({ command: ['a'], retry: { initialInterval: '5 minutes' } }).retry).toMatchObject({
      initialIntervalMs: 300_000,
      maximumIntervalMs: 300_000,
    });
  });

  it.each([
    ['no name', { name: undefined, command: ['a'] }, 'Expected the name of a step to match'],
    ['a name with a slash', { name: 'a/b', command: ['a'] }, 'got "a/b". Use letters, digits, - and _'],
    ['a name with a line end', { name: 'a\n', command: ['a'] }, 'got "a\\n"'],
    ['a name that begins with a digit', { name: '1a', command: ['a'] }, 'got "1a"'],
    ['a name of 64 letters', { name: 'a'.repeat(64), command: ['a'] }, 'Expected the name of a step'],
    ['nothing to run', {}, 'Step `train` needs a `command` or a function. Give `command: [program, …]`'],
    ['an empty command', { command: [] }, 'needs a `command` or a function'],
    ['no attempt', { command: ['a'], retry: { attempts: 0 } }, 'has retry.attempts 0. Give a whole number from 1.'],
    ['half an attempt', { command: ['a'], retry: { attempts: 1.5 } }, 'has retry.attempts 1.5'],
    ['waits that shrink', { command: ['a'], retry: { backoff: 0.5 } }, 'has retry.backoff 0.5. Give a number from 1.'],
    ['a first wait above the longest', { command: ['a'], retry: { initialInterval: '2m', maximumInterval: '1m' } }, 'retry.maximumInterval of 60000 ms, less than its retry.initialInterval of 120000 ms'],
    ['no cpu', { command: ['a'], resources: { cpus: 0 } }, 'has resources.cpus 0. Give a number above 0.'],
    ['cpus that are no number', { command: ['a'], resources: { cpus: NaN } }, 'has resources.cpus NaN'],
    ['endless cpus', { command: ['a'], resources: { cpus: Infinity } }, 'has resources.cpus Infinity'],
    ['a debt of gpus', { command: ['a'], resources: { gpus: -1 } }, 'has resources.gpus -1. Give a whole number from 0.'],
    ['half a gpu', { command: ['a'], resources: { gpus: 0.5 } }, 'has resources.gpus 0.5'],
    ['no process', { command: ['a'], resources: { pids: 0 } }, 'has resources.pids 0. Give a whole number from 1.'],
    ['memory in words', { command: ['a'], resources: { memory: 'much' } }, 'Expected `resources.memory` of step `train` to be a size, got "much"'],
    ['shm in words', { command: ['a'], resources: { shm: 'x' } }, 'Expected `resources.shm` of step `train`'],
    ['disk in words', { command: ['a'], resources: { disk: 'x' } }, 'Expected `resources.disk` of step `train`'],
    ['a timeout in words', { command: ['a'], timeout: 'soon' }, 'Expected `timeout` of step `train` to be a duration, got "soon"'],
    ['a timeout of nothing', { command: ['a'], timeout: 0 }, 'Step `train` has a `timeout` of 0.'],
    ['a wait in words', { command: ['a'], retry: { initialInterval: 'x' } }, 'Expected `retry.initialInterval` of step `train`'],
    ['a longest wait in words', { command: ['a'], retry: { maximumInterval: 'x' } }, 'Expected `retry.maximumInterval` of step `train`'],
    ["the contract's own variable", { command: ['a'], env: { MILLRACE_RUN: '1' } }, 'sets MILLRACE_RUN, a name the step contract keeps'],
    ['an artifact output with a slash', { command: ['a'], output: z.object({ 'a/b': model() }) }, 'has the artifact output "a/b". Use a name that can be a file name.'],
    ['an artifact output that is hidden', { command: ['a'], output: z.object({ '..': model() }) }, 'has the artifact output ".."'],
    ['an unknown {in.…}', { ...io, command: ['{in.rows}'] }, 'The command of step `train` uses {in.rows}, but its input has no field `rows`. Its fields: table, trees.'],
    ['an unknown {input.…}', { ...io, command: ['a', '--x={input.depth}'] }, 'uses {input.depth}, but its input has no field `depth`'],
    ['an unknown {out.…}', { ...io, command: ['a{out.modle}'] }, 'uses {out.modle}, but its output has no field `modle`. Its fields: model, plot, auc, notes.'],
    ['a placeholder without any field', { command: ['{out.x}'] }, 'Its fields: none.'],
  ])('is refused with %s', (_, options, words) => {
    expect(() => specOf(options)).toThrow(DefinitionInvalid);
    expect(() => specOf(options)).toThrow(words);
  }); // prettier-ignore

  it.each([
    ['a command too', { command: ['a'] }, 'has a `command` and a function. Keep one of the two.'],
    ['inline and isolation', { inline: true, isolation: 'none' }, 'has `inline` and `isolation`. An inline step runs in the worker'],
    ['an option nobody knows', { imag: 'x' }, 'has the unknown option `imag`. Its options: name, input, output,'],
    ['an isolation nobody knows', { isolation: 'vm' }, 'has the unknown isolation "vm". Use one of container, process, none.'],
  ])('as a function is refused with %s', (_, options, words) => {
    expect(() => specOf(options, () => ({}))).toThrow(DefinitionInvalid);
    expect(() => specOf(options, () => ({}))).toThrow(words);
  }); // prettier-ignore

  it('accepts names of nested fields and braces of others in its command', () => {
    const options = { ...io, command: ['a', '{in.table.0}', '{other.x}', '${HOME}', '{}', '{in}'] };
    expect(specOf(options).command).toEqual(options.command);
  });

  it('keeps schemas and function for the worker', () => {
    const handler = () => ({});
    const made = step({ name: 'a', ...none }, handler);
    expect(isStep(made)).toBe(true);
    expect(made[STEP]).toMatchObject({ input: none.input, output: none.output, handler });
    for (const value of [handler, {}, null, 'a']) expect(isStep(value)).toBe(false);
  });
});

describe('steps made while something is loaded', () => {
  it('are collected, also after an await, and no others', async () => {
    step({ name: 'before', ...none, command: ['a'] });
    const { loaded, steps } = await collectSteps(async () => {
      step({ name: 'one', ...none, command: ['a'] });
      await Promise.resolve();
      step({ name: 'two', ...none, command: ['a'] });
      return 'result';
    });
    step({ name: 'after', ...none, command: ['a'] });
    expect(loaded).toBe('result');
    expect(steps.map(({ spec }) => spec.name)).toEqual(['one', 'two']);
  });

  it('are collected where a load inside another ends, also by throwing', async () => {
    const { steps } = await collectSteps(async () => {
      await expect(
        collectSteps(() => {
          step({ name: 'inner', ...none, command: ['a'] });
          throw new Error('no');
        }),
      ).rejects.toThrow('no');
      step({ name: 'outer', ...none, command: ['a'] });
    });
    expect(steps.map(({ spec }) => spec.name)).toEqual(['outer']);
  });
});

describe('a pipeline', () => {
  it('keeps its definition', () => {
    const body = async () => 1;
    const made = pipeline(
      { name: 'p', input: z.object({}), description: 'What it is.', timeout: '1h' },
      body,
    );
    expect(isPipeline(made)).toBe(true);
    expect(made[PIPELINE]).toMatchObject({
      name: 'p',
      description: 'What it is.',
      timeoutMs: 3_600_000,
      body,
    });
    expect(isPipeline(body)).toBe(false);
  });

  it('is refused with a wrong name or timeout, naming it', () => {
    const make = (options: object) => () =>
      pipeline({ name: 'p', input: z.object({}), ...options }, async () => 1);
    expect(make({ name: 'a b' })).toThrow('Expected the name of a pipeline to match');
    expect(make({ timeout: 'soon' })).toThrow('Expected `timeout` of pipeline `p` to be a duration');
  });
});

describe("the SDK's words", () => {
  const train = step({ name: 'train', ...none, command: ['a'] });
  const child = pipeline({ name: 'child', input: z.object({}) }, async () => 1);
  const ref = {
    $artifact: 'model',
    digest: `sha256:${'a'.repeat(64)}`,
    type: 'file',
    size: 1,
    name: 'm',
  } as const;
  const version = { name: 'm', version: 1, model: ref };
  const words: readonly (readonly [string, () => unknown])[] = [
    ['step `train`', () => train({})],
    ['Pipeline `child`', () => child({})],
    ['gate `quality`', () => gate('quality', {})],
    ['approval `release`', () => approval('release')],
    ['register `m`', () => register('m', { model: ref })],
    ['promote', () => promote(version)],
    ['fetchData', () => fetchData('file:///x')],
    ['sleep', () => sleep('1s')],
    ['runInfo', () => runInfo()],
  ];

  it.each(words)('say where they belong when called outside a pipeline: %s', async (word, call) => {
    const called = async () => call();
    await expect(called()).rejects.toThrow(NotInPipeline);
    await expect(called()).rejects.toThrow(
      `${word} was called outside a running pipeline. Call it inside the function`,
    );
  });

  it('go to the runtime with their defaults filled in', async () => {
    const calls: unknown[] = [];
    const record = (...call: unknown[]) => void calls.push(call);
    const runtime = new Proxy({ info: 'info' }, {
      get: (target, name) => (name === 'info' ? target.info : (...given: unknown[]) => record(name, ...given)),
    }); // prettier-ignore
    installRuntime(runtime as unknown as PipelineRuntime);
    try {
      for (const [, call] of words) await call();
    } finally {
      installRuntime(undefined);
    }
    expect(calls).toEqual([
      ['step', 'train', {}],
      ['pipeline', child[PIPELINE], {}],
      ['gate', 'quality', {}, {}],
      ['approval', 'release', {}],
      ['register', 'm', { model: ref }],
      ['promote', version, {}],
      ['fetchData', 'file:///x', { kind: 'dataset' }],
      ['sleep', 1_000],
    ]);
  });
});
