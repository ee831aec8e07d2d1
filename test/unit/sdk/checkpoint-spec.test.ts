import { z } from 'zod';
import { DefinitionInvalid } from '../../../sdk/errors.js';
import type { CheckpointOptions, Isolation } from '../../../sdk/step-options.js';
import { step, STEP } from '../../../sdk/step.js';

const none = z.object({});
const specWith = (checkpoint: boolean | CheckpointOptions | undefined, isolation: Isolation = 'process') =>
  step({ name: 'train', isolation, input: none, output: none, ...(checkpoint !== undefined && { checkpoint }) }, () => ({}))[STEP]
    .spec.checkpoint; // prettier-ignore
const defaults = { everyMs: 30_000, maximum: 10 * 2 ** 30 };

test("a step's checkpoint is stored unless it says otherwise", () => {
  expect(specWith(undefined)).toEqual(defaults);
  expect(specWith(true)).toEqual(defaults);
  expect(specWith({})).toEqual(defaults);
  expect(specWith({ every: '2 minutes', maximum: '40GiB' })).toEqual({
    everyMs: 120_000,
    maximum: 40 * 2 ** 30,
  });
  expect(specWith(false)).toBe(false);
});

test('there is none of code that runs inside the worker', () => {
  expect(specWith(undefined, 'none')).toBe(false);
  expect(() => specWith({ every: '1 minute' }, 'none')).toThrow('has `checkpoint`, but runs inside the worker');
}); // prettier-ignore

test.each([
  [{ every: '10 ms' }, '`checkpoint.every` of 10 ms'],
  [{ every: 'often' }, 'Expected `checkpoint.every` of step `train` to be a duration'],
  [{ maximum: 'much' }, 'Expected `checkpoint.maximum` of step `train` to be a size'],
  [{ interval: '1s' } as never, 'unknown option `checkpoint.interval`'],
] as const)('what cannot be is refused: %j', (checkpoint, words) => {
  expect(() => specWith(checkpoint)).toThrow(DefinitionInvalid);
  expect(() => specWith(checkpoint)).toThrow(words);
});
