import { inputKey } from '../../../sdk/recovery/input-key.js';
import { recordIndex } from '../../../sdk/recovery/record-index.js';
import type { RecordedCall } from '../../../sdk/recovery/recorded-run.js';
import { aRef } from '../store/records.js';

const call = (path: string, given: Partial<RecordedCall> = {}): RecordedCall => ({
  path,
  name: path.replace(/#.*/, ''),
  kind: 'step',
  outcome: 'completed',
  maker: { run: 'old', path },
  ...given,
});
const index = (calls: readonly RecordedCall[], read = () => Promise.resolve<undefined | { input: unknown; output: unknown }>(undefined)) =>
  recordIndex({ run: 'old', works: {}, calls }, read); // prettier-ignore
const made = (path: string, input: unknown, given: Partial<RecordedCall> = {}) => ({
  ...call(path, given),
  input,
});

test('a call is found by what it was called with, though it has another path now', async () => {
  const records = index([call('train', { input: { n: 1 } }), call('train#2', { input: { n: 2 } })]);
  expect((await records.match(made('train', { n: 2 })))?.path).toBe('train#2');
  expect((await records.match(made('train#2', { n: 1 })))?.path).toBe('train');
  expect(records.left()).toEqual([]);
});

test('of equal calls the one of the same path is found, each once, and first those that have a result', async () => {
  const same = { input: { n: 1 } };
  const records = index([
    call('train', { ...same, outcome: 'failed' }),
    call('train#2', same),
    call('train#3', same),
  ]);
  expect((await records.match(made('train#3', { n: 1 })))?.path).toBe('train#3');
  expect((await records.match(made('train', { n: 1 })))?.path).toBe('train#2');
  expect((await records.match(made('train#2', { n: 1 })))?.path).toBe('train');
  expect(await records.match(made('train#4', { n: 1 }))).toBeUndefined();
});

test('one that is equal to none is told of the call of its path, which another may still be', async () => {
  const records = index([call('train', { input: { n: 1 } })]);
  expect((await records.match(made('train', { n: 5 })))?.input).toEqual({ n: 1 });
  expect(records.left()).toEqual([]);
  expect((await records.match(made('train#2', { n: 1 })))?.path).toBe('train');
});

test('a call of another name, kind or gate is no match, whatever its path', async () => {
  const records = index([
    call('train', { input: {} }),
    call('go#2', { kind: 'approval', name: 'go#2', input: { of: 1 } }),
    call('stop', { kind: 'approval', input: { of: 1 } }),
  ]);
  expect(await records.match(made('train', {}, { name: 'score' }))).toBeUndefined();
  expect(await records.match(made('train', {}, { kind: 'fetch' }))).toBeUndefined();
  expect((await records.match(made('go', { of: 1 }, { kind: 'approval' })))?.path).toBe('go#2');
});

test('large calls are read once something looks for their like, and never for another name', async () => {
  const values = new Map([['train', { input: { n: 1 }, output: 'a' }], ['train#2', { input: { n: 2 }, output: 'b' }]]); // prettier-ignore
  const read: string[] = [];
  const calls = [
    call('train', { large: true }),
    call('train#2', { large: true }),
    call('score', { input: {} }),
  ];
  const records = recordIndex({ run: 'old', works: {}, calls }, (path) => {
    read.push(path);
    return Promise.resolve(values.get(path));
  });
  await records.match(made('score', {}));
  expect(read).toEqual([]);
  const both = await Promise.all([
    records.match(made('train', { n: 2 })),
    records.match(made('train#2', { n: 1 })),
  ]);
  expect(both).toMatchObject([{ path: 'train#2', output: 'b' }, { path: 'train', output: 'a' }]); // prettier-ignore
  expect(read).toEqual(['train', 'train#2']);
});

test('a large call that cannot be read has no result to take', async () => {
  const records = index([call('train', { large: true })]);
  expect(await records.match(made('train', { n: 1 }))).toMatchObject({
    unusable: 'its record cannot be read any more',
  });
});

test('inputs are equal whatever the order of their keys and the names of their artifacts', () => {
  const ref = aRef();
  expect(inputKey({ b: [1, { x: ref }], a: undefined })).toBe(inputKey({ b: [1, { x: { ...ref, name: 'other', size: 0 } }] })); // prettier-ignore
  expect(inputKey({ a: 1, b: 2 })).toBe(inputKey({ b: 2, a: 1 }));
  for (const other of [{ a: '1' }, { a: [1] }, { a: { 0: 1 } }, { a: null }, {}, [1], 'a'])
    expect(inputKey(other)).not.toBe(inputKey({ a: 1 }));
  // A text that looks like an artifact is none.
  expect(inputKey(`dataset file ${ref.digest}`)).not.toBe(inputKey(ref));
});
