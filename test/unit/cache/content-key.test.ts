import fc from 'fast-check';
import { z } from 'zod';
import type { KeyFacts } from '../../../activities/cache/content-key.js';
import { contentKey, keyParts } from '../../../activities/cache/content-key.js';
import type { StepTask } from '../../../sdk/protocol/messages.js';
import type { StepSpec } from '../../../sdk/step-spec.js';
import { step, STEP } from '../../../sdk/step.js';
import { canonicalDigest } from '../../../store/canonical-digest.js';
import { storedSpec } from '../../support/stored-spec.js';

const digest = (digit: string) => `sha256:${digit.repeat(64)}` as const;
const declared = step({
  name: 'train',
  image: 'python:3.12-slim',
  command: ['python', 'train.py', '{input.trees}'],
  env: { SEED: '1', MODE: 'fast' },
  secrets: ['HF_TOKEN'],
  input: z.object({ trees: z.number() }),
  output: z.object({ auc: z.number() }),
})[STEP];
const content = (digit: string) => ({ digest: digest(digit), type: 'tree', size: 5 }) as const;
const spec = storedSpec(declared.spec, {
  source: content('1'),
  code: content('2'),
  logic: digest('3'),
  cache: { ttlMs: undefined, version: undefined, scope: 'catalog' },
});
const table = { $artifact: 'dataset', digest: digest('4'), type: 'file', size: 3, name: 'a.csv' } as const;
const task: StepTask = {
  v: 1,
  run: 'run-1',
  path: 'train',
  pipeline: 'mortgage',
  build: 'build-1',
  queue: 'millrace',
  executor: 'docker',
  image: { reference: 'python:3.12-slim', id: digest('5') },
  spec,
  input: undefined,
  cache: 'use',
};
const input = { trees: 100, table, options: { depth: 3, names: ['a', 'b'] } };
const facts: KeyFacts = { platform: 'linux-x64', helper: '0.1.0' };
type Case = { readonly task: StepTask; readonly input: unknown; readonly facts: KeyFacts };
const keyOf = ({ task: given, input: value, facts: found }: Case) =>
  contentKey(keyParts(given, value, found));
const base: Case = { task, input, facts };
const withSpec = (fields: Partial<StepSpec>): Case => ({
  ...base,
  task: { ...task, spec: { ...spec, ...fields } },
});
const withTask = (fields: Partial<StepTask>): Case => ({ ...base, task: { ...task, ...fields } });
const withInput = (fields: object): Case => ({ ...base, input: { ...input, ...fields } });
const onHost = (found: Partial<KeyFacts>): Case => ({
  ...withTask({ executor: 'process' }),
  facts: { ...facts, interpreter: { programs: ['python 3.12'] }, ...found },
});

/** Everything that can change the answer: each variant has a key of its own. */
const different: Readonly<Record<string, Case>> = {
  'nothing changed': base,
  'the name of the step': withSpec({ name: 'train2' }),
  'the declared version': withSpec({ version: '2' }),
  'the version of the cache': withSpec({ cache: { ttlMs: undefined, version: '2', scope: 'catalog' } }),
  'the scope, by queue': withSpec({ cache: { ttlMs: undefined, version: undefined, scope: 'queue' } }),
  'the scope, by pipeline': withSpec({ cache: { ttlMs: undefined, version: undefined, scope: 'pipeline' } }),
  'the image': withTask({ image: { reference: 'python:3.12-slim', id: digest('6') } }),
  'the source': withSpec({ source: content('7') }),
  'no source': withSpec({ source: undefined }),
  'the logic': withSpec({ logic: digest('8') }),
  'the command': withSpec({ command: ['python', 'train.py', '{input.trees}', '--fast'] }),
  'the words of the command, cut otherwise': withSpec({ command: ['python train.py', '{input.trees}'] }),
  'a variable': withSpec({ env: { SEED: '2', MODE: 'fast' } }),
  'one variable less': withSpec({ env: { SEED: '1' } }),
  'a secret by name': withSpec({ secrets: [{ name: 'OTHER', env: false }] }),
  'a secret as a variable': withSpec({ secrets: [{ name: 'HF_TOKEN', env: true }] }),
  'the network': withSpec({ network: true }),
  'the gpus': withSpec({ resources: { ...spec.resources, gpus: 1 } }),
  'a value': withInput({ trees: 101 }),
  'a value as text': withInput({ trees: '100' }),
  'a value deep inside': withInput({ options: { depth: 4, names: ['a', 'b'] } }),
  'the order of a list': withInput({ options: { depth: 3, names: ['b', 'a'] } }),
  'the content of an artifact': withInput({ table: { ...table, digest: digest('9') } }),
  'a field more': withInput({ extra: null }),
  'an artifact as a text': withInput({ table: table.digest }),
  'the platform': { ...base, facts: { ...facts, platform: 'linux-arm64' } },
  'the helper': { ...base, facts: { ...facts, helper: '0.2.0' } },
  'a process': onHost({}),
  'inside the worker': { ...onHost({}), task: { ...task, executor: 'worker' } },
  'the interpreter': onHost({ interpreter: { programs: ['python 3.13'] } }),
  'the packages': onHost({ interpreter: { programs: ['python 3.12'], packages: ['six==1.17.0'] } }),
};

/** What cannot change the answer. */
const same: Readonly<Record<string, Case>> = {
  'another run, path, build and host': withTask({ run: 'run-2', path: 'train#2', build: 'build-2' }),
  'another pipeline and queue, where all who use the catalog share': withTask({
    pipeline: 'other',
    queue: 'q',
  }),
  'cpus, memory, shm, pids and disk': withSpec({
    resources: { ...spec.resources, cpus: 64, memory: 1, shm: 1, pids: 1, disk: 1 },
  }),
  'timeout and retries': withSpec({ timeoutMs: 1, retry: { ...spec.retry, attempts: 9 } }),
  'how long results may be used': withSpec({ cache: { ttlMs: 5, version: undefined, scope: 'catalog' } }),
  'the tag of the image': withTask({ image: { reference: 'other:tag', id: digest('5'), repoDigest: 'x' } }),
  'the code bundle, whose logic is the same': withSpec({ code: content('f') }),
  'size of a source': withSpec({ source: { ...content('1'), size: 6 } }),
  'the name and size a file was uploaded with': withInput({ table: { ...table, name: 'b.csv', size: 4 } }),
  'the order of keys': {
    ...base,
    task: { ...task, spec: { ...spec, env: { MODE: 'fast', SEED: '1' } } },
    input: { options: { names: ['a', 'b'], depth: 3 }, table, trees: 1e2 },
  },
  'whether an earlier result may be taken': withTask({ cache: 'refresh' }),
};

test('every change that can change the answer gives another key, and each its own', () => {
  const names = new Map<string, string>();
  for (const [name, variant] of Object.entries(different)) {
    const key = keyOf(variant);
    expect([name, names.get(key)]).toEqual([name, undefined]);
    names.set(key, name);
  }
});

test.each(Object.entries(same))('the key does not change with %s', (_, variant) => {
  expect(keyOf(variant)).toBe(keyOf(base));
});

test('where results are shared by queue or pipeline, these count and nothing wider', () => {
  const shared = (scope: 'queue' | 'pipeline', fields: Partial<StepTask>) =>
    keyOf({ ...base, task: { ...task, ...fields, spec: { ...spec, cache: { ttlMs: undefined, version: undefined, scope } } } }); // prettier-ignore
  expect(shared('queue', { pipeline: 'other' })).toBe(shared('queue', {}));
  expect(shared('queue', { queue: 'q2' })).not.toBe(shared('queue', {}));
  expect(shared('pipeline', { pipeline: 'other' })).not.toBe(shared('pipeline', {}));
});

test('the key changes if and only if something that counts changed, whatever came together', () => {
  const pick = <T>(name: string, values: readonly T[]) =>
    fc.constantFrom(...values).map((value) => ({ [name]: value }));
  const merged = (parts: readonly object[]) => Object.assign({}, ...parts) as never;
  const counting = fc
    .tuple(
      pick('version', [undefined, '1', '2']),
      pick('command', [['a'], ['a', 'b'], ['ab']]),
      pick('env', [{}, { A: '1' }, { A: '1', B: '' }]),
      pick('network', [false, true]),
      pick('logic', [digest('1'), digest('2')]),
    )
    .map(merged);
  const free = fc
    .tuple(
      pick('timeoutMs', [1, 2]),
      pick(
        'cache',
        [1, 2].map((ttlMs) => ({ ttlMs, version: undefined, scope: 'catalog' })),
      ),
      pick('code', [content('a'), content('b')]),
    )
    .map(merged);
  const value = fc.jsonValue({ maxDepth: 3 });
  const place = fc.record({ run: fc.string(), path: fc.string(), build: fc.string() });
  const variant = fc.record({ counting, free, value, place });
  fc.assert(
    fc.property(variant, variant, (one, two) => {
      const key = (each: typeof one) =>
        keyOf({
          task: {
            ...task,
            ...each.place,
            spec: { ...spec, ...(each.counting as object), ...(each.free as object) },
          },
          input: each.value,
          facts,
        });
      const counts = (each: typeof one) => canonicalDigest([each.counting, each.value]);
      expect(key(one) === key(two)).toBe(counts(one) === counts(two));
      expect(key({ ...one, place: two.place, free: two.free })).toBe(key(one));
    }),
    { numRuns: 300 },
  );
});

// Values of RFC 8785, appendix B and section 3.2.2.
test.each([
  ['{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]}', '{"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}'],
  ['{"literals":[null,true,false],"a":-0}', '{"a":0,"literals":[null,true,false]}'],
  ['{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}', '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}'],
])('the canonical form is that of RFC 8785: %s', async (given, expected) => {
  const { createHash } = await import('node:crypto');
  const hex = createHash('sha256').update(expected).digest('hex');
  expect(canonicalDigest(JSON.parse(given))).toBe(`sha256:${hex}`);
}); // prettier-ignore
