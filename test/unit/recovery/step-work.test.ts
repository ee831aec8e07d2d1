import { z } from 'zod';
import type { StepSpec } from '../../../sdk/step-spec.js';
import { changedParts, stepWork } from '../../../sdk/recovery/step-work.js';
import { STEP, step } from '../../../sdk/step.js';
import { storedSpec } from '../../support/stored-spec.js';
import { digest } from '../store/records.js';

const content = (digit: string) => ({ digest: digest(digit), type: 'file', size: 1 }) as const;
const io = { input: z.object({}), output: z.object({}) };
const spec = (given: Partial<StepSpec> = {}): StepSpec =>
  storedSpec(
    step({ name: 'train', image: 'python:3.12-slim', command: ['python', 'train.py'], ...io })[STEP].spec,
    { source: content('1'), code: content('2'), logic: digest('3'), ...given },
  );
const image = (digit: string) => ({ reference: 'python:3.12-slim', id: digest(digit) });
const docker = (digit = 'a') => ({ executor: 'docker', images: { train: image(digit) } }) as const;
const before = stepWork(spec(), docker());

test.each<[string, Partial<StepSpec>, Parameters<typeof stepWork>[1], readonly string[]]>([
  ['nothing', {}, docker(), []],
  ['its bundle alone', { code: content('9') }, docker(), []],
  ['its memory', { resources: { ...spec().resources, memory: 2 ** 33 }, timeoutMs: 1 }, docker(), []],
  ['its gpus', { resources: { ...spec().resources, gpus: 1 } }, docker(), ['gpus']],
  ['its source', { source: content('9') }, docker(), ['source']],
  ['its logic', { logic: digest('9') }, docker(), ['logic']],
  ['its command and version', { command: ['python', 'b.py'], version: '2' }, docker(), ['version', 'command']],
  ['its environment', { env: { A: '1' }, network: true }, docker(), ['env', 'network']],
  ['its image', {}, docker('b'), ['image']],
  ['where it runs', {}, { executor: 'process', images: {} }, ['executor']],
  ['an image of another name that is the same one', { image: { kind: 'reference', reference: 'python:3' } as never }, docker(), []],
  ['an image that nobody has looked up yet', {}, undefined, []],
  ['an image of another name that nobody has looked up yet', { image: { kind: 'reference', reference: 'python:3' } as never }, undefined, ['image']],
])('of a step that has changed %s these parts differ', (_, given, plan, parts) => {
  expect(changedParts(before, stepWork(spec(given), plan))).toEqual(parts);
}); // prettier-ignore

test('where a build did not have the logic of every step, the bundle stands for it', () => {
  const old = stepWork(spec({ logic: undefined }), docker());
  expect(changedParts(old, before)).toEqual([]);
  expect(changedParts(old, stepWork(spec({ code: content('9') }), docker()))).toEqual(['code']);
});

test('a step that runs in the worker or as a process asks for no image', () => {
  const process = stepWork(spec({ isolation: 'process' }), undefined);
  expect(process).toMatchObject({ executor: 'process', image: undefined });
  expect(changedParts(process, stepWork(spec({ isolation: 'process' }), docker()))).toEqual([]);
});
