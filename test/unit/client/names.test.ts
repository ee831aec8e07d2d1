import { z } from 'zod';
import { nearestName } from '../../../client/nearest-name.js';
import { checkInput, pipelineOfBuild } from '../../../client/pipelines-of-build.js';
import { newRunId } from '../../../client/run-id.js';
import { dataset } from '../../../sdk/artifact.js';
import { InvalidInput, UnknownPipeline } from '../../../sdk/errors.js';
import { PIPELINE, pipeline } from '../../../sdk/pipeline.js';
import type { PipelineDefinition } from '../../../sdk/pipeline.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aBuild } from '../store/records.js';

test('a run is named after its pipeline and its start, in UTC', () => {
  const id = newRunId('mortgage', new Date('2026-11-24T09:30:12.999+01:00'));
  expect(id).toMatch(/^mortgage-20261124-083012-[a-hjkmnp-tv-z0-9]{4}$/);
});

test('ids of one second differ, and those of later seconds sort behind', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const ids = Array.from({ length: 50 }, () => newRunId('p', now));
  expect(new Set(ids).size).toBeGreaterThan(45);
  const later = newRunId('p', new Date('2026-01-01T00:00:01Z'));
  expect([...ids, later].sort().at(-1)).toBe(later);
});

test.each([
  ['mortgag', 'mortgage'],
  ['morgtage', 'mortgage'],
  ['quick', undefined],
  ['quickstrat', 'quickstart'],
  ['x', undefined],
  ['zzzzzzzz', undefined],
])('%p was probably meant as %p', (name, expected) => {
  expect(nearestName(name, ['mortgage', 'quickstart'])).toBe(expected);
});

test('nothing is near where nothing is known', () => {
  expect(nearestName('mortgage', [])).toBeUndefined();
});

const definition = pipeline(
  { name: 'credit', input: z.object({ csv: dataset(), minAuc: z.number().max(1).default(0.75) }) },
  async () => 1,
)[PIPELINE] as unknown as PipelineDefinition;
const rows = { $artifact: 'dataset', digest: `sha256:${'a'.repeat(64)}`, type: 'file', size: 1, name: 'x' };

test('good input is accepted, defaults left to the run', () => {
  expect(checkInput(definition, { csv: rows })).toBeUndefined();
});

test('wrong input is refused with path and reason of each field', () => {
  const check = () => checkInput(definition, { csv: '/data/rows.csv', minAuc: 2 });
  expect(check).toThrow(InvalidInput);
  expect(check).toThrow(
    /^The input of pipeline `credit` is wrong: `csv`: .+; `minAuc`: .+<=1\. `csv` is a dataset: give it as `--input csv=@PATH`, or as what client\.upload\(path\) returns\. Nothing was started\.$/,
  );
});

test('a field that the schema does not have is refused, with the nearest one', () => {
  const check = (input: object) => () => checkInput(definition, { csv: rows, ...input });
  expect(check({ minAcu: 0.9 })).toThrow('`minAcu`: no such field, did you mean `minAuc`?');
  expect(check({ nothing: 1 })).toThrow('`nothing`: no such field, its fields: csv, minAuc');
  const loose = { ...definition, input: z.looseObject({ a: z.number() }) } as PipelineDefinition;
  expect(checkInput(loose, { a: 1, more: 2 })).toBeUndefined();
});

test('input that is no object at all is said to be none', () => {
  expect(() => checkInput(definition, [])).toThrow(/the input: Invalid input: expected object/);
});

describe('the pipelines of a build', () => {
  const code = `
    const PIPELINE = Symbol.for('millrace.pipeline');
    const make = (name) => Object.assign(() => 1, { [PIPELINE]: { name } });
    exports['a.pipeline.ts'] = { first: make('first'), helper: 3 };
    exports['b.pipeline.ts'] = { default: make('second') };`;
  const open = async () => {
    const store = await openArtifactStore(`file:${await temporaryFolder()}/artifacts`);
    const { digest } = await store.putBytes(code);
    const pipelines = ['first', 'second'].map((name) => ({ name, steps: [] }));
    return { build: aBuild({ nodeBundle: digest, pipelines }), store, projectDir: await temporaryFolder() };
  };

  it('are found by name', async () => {
    expect(await pipelineOfBuild('second', await open())).toEqual({ name: 'second' });
  });

  it('are named, the nearest first, when there is none of a name', async () => {
    const looking = pipelineOfBuild('frist', await open());
    await expect(looking).rejects.toThrow(UnknownPipeline);
    await expect(looking).rejects.toThrow(
      'There is no pipeline `frist`. Did you mean `first`? Pipelines of this build: first, second.',
    );
    await expect(pipelineOfBuild('sofa', await open())).rejects.toThrow(
      'There is no pipeline `sofa`. Pipelines of this build: first, second.',
    );
  });
});
