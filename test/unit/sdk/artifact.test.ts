import { z } from 'zod';
import type { ArtifactRef } from '../../../sdk/artifact.js';
import {
  artifactKindOf,
  dataset,
  directory,
  file,
  isArtifactRef,
  mapArtifacts,
  model,
  report,
  walkArtifacts,
} from '../../../sdk/artifact.js';

const ref = (name: string, digit = 'a'): ArtifactRef => ({
  $artifact: 'dataset',
  digest: `sha256:${digit.repeat(64)}`,
  type: 'file',
  size: 1,
  name,
});

test.each([
  ['dataset', dataset()],
  ['model', model()],
  ['file', file()],
  ['directory', directory()],
  ['report', report()],
  ['model', model().optional()],
  ['model', model().nullable()],
  ['model', model().nullish()],
  ['dataset', dataset().default(ref('usual') as ArtifactRef<'dataset'>)],
  ['dataset', dataset().prefault(ref('usual') as ArtifactRef<'dataset'>)],
  ['dataset', dataset().optional().nullable().readonly()],
  ['dataset', dataset().describe('rows')],
  ['dataset', dataset().refine(() => true)],
  ['dataset', dataset().catch(ref('usual') as ArtifactRef<'dataset'>)],
])('the kind %s shows through its schema (%#)', (kind, schema) => {
  expect(artifactKindOf(schema)).toBe(kind);
});

test.each([
  ['a number', z.number()],
  ['a text that may be left out', z.string().optional()],
  ['an object', z.object({ digest: z.string() })],
  ['an object of another $artifact', z.object({ $artifact: z.literal('sofa') })],
  ['a list of artifacts', z.array(model())],
  ['an optional list of artifacts', z.array(model()).optional()],
  ['a record of artifacts', z.record(z.string(), model())],
])('no kind is seen in %s', (_, schema) => {
  expect(artifactKindOf(schema)).toBeUndefined();
});

test('an artifact of one kind is not accepted as another', () => {
  expect(dataset().safeParse(ref('rows')).success).toBe(true);
  expect(model().safeParse(ref('rows')).success).toBe(false);
});

test.each([
  ['a short digest', { ...ref('x'), digest: 'sha256:abc' }],
  ['a digest in capitals', { ...ref('x'), digest: `sha256:${'A'.repeat(64)}` }],
  ['an unknown type', { ...ref('x'), type: 'symlink' }],
  ['a negative size', { ...ref('x'), size: -1 }],
  ['a path', '/data/rows.csv'],
])('a dataset with %s is refused', (_, value) => {
  expect(dataset().safeParse(value).success).toBe(false);
});

test('only what bears kind and digest is a reference', () => {
  expect(isArtifactRef(ref('x'))).toBe(true);
  for (const value of [
    null,
    undefined,
    'sha256:',
    3,
    {},
    [],
    { ...ref('x'), $artifact: 'sofa' },
    { ...ref('x'), digest: 'x' },
  ])
    expect(isArtifactRef(value)).toBe(false);
});

const nested = {
  table: ref('a'),
  models: [ref('b'), { deep: ref('c') }],
  count: 3,
  none: null,
  text: 'sha256:',
};

test('every reference of a value is visited with its keys', () => {
  const seen: string[] = [];
  walkArtifacts(nested, ({ name }, keys) => seen.push(`${name} at ${keys.join('/')}`));
  expect(seen).toEqual(['a at table', 'b at models/0', 'c at models/1/deep']);
});

test('references are replaced and all else stays, the value itself untouched', () => {
  const before = structuredClone(nested);
  expect(mapArtifacts(nested, ({ name }, keys) => `${name}@${keys.join('.')}`)).toEqual({
    table: 'a@table',
    models: ['b@models.0', { deep: 'c@models.1.deep' }],
    count: 3,
    none: null,
    text: 'sha256:',
  });
  expect(nested).toEqual(before);
});
