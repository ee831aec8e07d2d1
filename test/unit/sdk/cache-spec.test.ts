import { z } from 'zod';
import { resolvedCache } from '../../../sdk/cache-spec.js';
import { DefinitionInvalid } from '../../../sdk/errors.js';
import type { CacheOptions } from '../../../sdk/step-options.js';
import { step, STEP } from '../../../sdk/step.js';

const none = z.object({});
const specWith = (cache: boolean | CacheOptions | undefined, network = false) =>
  step({ name: 'train', command: ['true'], input: none, output: none, network, ...(cache !== undefined && { cache }) })[STEP]
    .spec; // prettier-ignore

test('a step is not cached unless it says so', () => {
  expect(specWith(undefined).cache).toBeUndefined();
  expect(specWith(false).cache).toBe(false);
  expect(specWith(true).cache).toEqual({ ttlMs: undefined, version: undefined, scope: 'catalog' });
  expect(specWith({ ttl: '2 days', version: '3', scope: 'pipeline' }).cache).toEqual({
    ttlMs: 172_800_000,
    version: '3',
    scope: 'pipeline',
  });
});

test.each([
  [{ ttl: 0 }, false, '`cache.ttl` of 0'],
  [{ ttl: 'soon' }, false, 'Expected `cache.ttl` of step `train` to be a duration'],
  [{ scope: 'world' as never }, false, 'unknown cache.scope "world"'],
  [{ tll: '1h' } as never, false, 'unknown option `cache.tll`'],
  [true, true, '`network` and a `cache` without a ttl'],
] as const)('a cache that could mislead is refused: %j, network %j', (cache, network, words) => {
  expect(() => specWith(cache, network)).toThrow(DefinitionInvalid);
  expect(() => specWith(cache, network)).toThrow(words);
});

test('a step with the network may be cached for a time', () => {
  expect(specWith({ ttl: '1h' }, true).cache).toMatchObject({ ttlMs: 3_600_000 });
});

test('inline glue is not cached', () => {
  const inline = () =>
    step({ name: 'glue', inline: true, cache: true, input: none, output: none }, () => ({}));
  expect(inline).toThrow('Step `glue` has `inline` and `cache`.');
});

test('the default of the configuration reaches what says nothing, and only what it cannot mislead', () => {
  const on = { default: true, ttlMs: undefined };
  const plain = { network: false, isolation: 'process' };
  const cached = { ttlMs: undefined, version: undefined, scope: 'catalog' };
  expect(resolvedCache(undefined, plain, on)).toEqual(cached);
  expect(resolvedCache(undefined, plain, { default: false, ttlMs: 5 })).toBeUndefined();
  expect(resolvedCache(false, plain, on)).toBeUndefined();
  expect(resolvedCache(undefined, { ...plain, network: true }, on)).toBeUndefined();
  expect(resolvedCache(undefined, { ...plain, network: true }, { ...on, ttlMs: 5 })).toEqual({
    ...cached,
    ttlMs: 5,
  });
  expect(resolvedCache(undefined, { ...plain, isolation: 'inline' }, on)).toBeUndefined();
  const own = { ttlMs: 9, version: '1', scope: 'queue' } as const;
  expect(resolvedCache(own, plain, on)).toBe(own);
});
