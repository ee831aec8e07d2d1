import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { layOutFolder } from '../../../activities/step-folder.js';
import { statePaths } from '../../../config/state-paths.js';
import { dataset } from '../../../sdk/artifact.js';
import type { ArtifactRef } from '../../../sdk/artifact.js';
import { runHandler } from '../../../sdk/node/run-handler.js';
import { STEP, step } from '../../../sdk/step.js';
import type { ArtifactStore } from '../../../store/artifact-store.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const { signal } = new AbortController();
let store: ArtifactStore;
beforeAll(async () => {
  store = await openArtifactStore(`file:${await temporaryFolder()}/artifacts`);
});

const upload = async (text: string): Promise<ArtifactRef<'dataset'>> => ({
  $artifact: 'dataset',
  ...(await store.putBytes(text)),
  name: 'rows.csv',
});

async function laidOut(input: unknown, mode: 'link' | 'copy' = 'copy'): Promise<string> {
  const folder = path.join(await temporaryFolder(), 'attempt');
  await layOutFolder({ folder, input, mode, store, signal });
  return folder;
}
const seen = async (folder: string): Promise<unknown> =>
  JSON.parse(await readFile(path.join(folder, 'input.json'), 'utf8'));

test('a step finds its folders, an empty file for events and its values as they are', async () => {
  const folder = await laidOut({ trees: 100, deep: { list: [null, 'é'] } });
  expect((await readdir(folder)).sort()).toEqual(['checkpoint', 'events.jsonl', 'in', 'input.json', 'out']);
  expect(await readFile(path.join(folder, 'events.jsonl'), 'utf8')).toBe('');
  expect(await seen(folder)).toEqual({ trees: 100, deep: { list: [null, 'é'] } });
});

test('no input is an empty object', async () => {
  expect(await seen(await laidOut(undefined))).toEqual({});
});

test('each artifact lies at the path that input.json says, by its keys', async () => {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(upload));
  const folder = await laidOut({ table: a, parts: [b, { deep: c }], n: 1 });
  expect(await seen(folder)).toEqual({
    table: { ...a, path: 'in/table' },
    parts: [{ ...b, path: 'in/parts/0' }, { deep: { ...c, path: 'in/parts/1/deep' } }],
    n: 1,
  });
  expect(await readFile(path.join(folder, 'in/table'), 'utf8')).toBe('a');
  expect(await readFile(path.join(folder, 'in/parts/0'), 'utf8')).toBe('b');
  expect(await readFile(path.join(folder, 'in/parts/1/deep'), 'utf8')).toBe('c');
});

const wild = ['../../outside', 'a/b', '..', '.', '...', 'é 漢', '%2F'];

test('no key leads out of in/, and each has a place of its own', async () => {
  const refs = await Promise.all(wild.map(upload));
  const folder = await laidOut({ parts: Object.fromEntries(wild.map((key, index) => [key, refs[index]])) });
  const { parts } = (await seen(folder)) as { parts: Record<string, { path: string }> };
  for (const key of wild) {
    expect(path.normalize(parts[key]!.path)).toBe(parts[key]!.path);
    expect(path.dirname(parts[key]!.path)).toBe('in/parts');
    expect(await readFile(path.join(folder, parts[key]!.path), 'utf8')).toBe(key);
  }
  expect(await readdir(path.dirname(folder))).toEqual(['attempt']);
});

test('a function step is given those same paths', async () => {
  const refs = await Promise.all(wild.map(upload));
  const input = { parts: Object.fromEntries(wild.map((key, index) => [key, refs[index]])) };
  const folder = await laidOut(input);
  const reader = step(
    {
      name: 'reader',
      isolation: 'none',
      input: z.object({ parts: z.record(z.string(), dataset()) }),
      output: z.object({ texts: z.array(z.string()) }),
    },
    async ({ parts }) => ({
      texts: await Promise.all(Object.values(parts).map((part) => readFile(part.path, 'utf8'))),
    }),
  );
  const { values } = await runHandler(reader[STEP], input, {
    run: 'run-1',
    step: 'reader',
    attempt: 1,
    folder: () => folder,
    secret: () => '',
    emit: () => {},
    signal,
  });
  expect((values['texts'] as string[]).sort()).toEqual([...wild].sort());
});

test('what a step does to its copy of an input leaves the store as it was', async () => {
  const ref = await upload('precious');
  const folder = await laidOut({ table: ref });
  await writeFile(path.join(folder, 'in/table'), 'spoilt').catch(() => undefined);
  const other = await laidOut({ table: ref });
  expect(await readFile(path.join(other, 'in/table'), 'utf8')).toBe('precious');
});

describe('the paths of the state directory', () => {
  const paths = statePaths('/state');
  it.each([
    'train',
    'train#2',
    '../../etc',
    '..',
    '.',
    '...',
    '/etc/passwd',
    'a/../../b',
    'é',
    'a\\b',
    'a\0b',
  ])('cannot be left by a run or step named %p', (name) => {
    const found = {
      '/state/work': paths.attempt(name, name, 1),
      '/state/logs': paths.attemptLog(name, name, 1),
    };
    for (const [below, full] of Object.entries(found)) {
      expect(path.normalize(full)).toBe(full);
      expect(path.relative(below, full).split('/')).toHaveLength(3);
      expect(path.relative(below, full)).not.toMatch(/(^|\/)\.\.?(\/|$)/);
    }
  });

  it('keep two steps apart whatever their names', () => {
    const names = ['a', 'a#2', 'a/b', 'a%2Fb', '..', '%2E%2E', '.', 'A'];
    expect(new Set(names.map((name) => paths.attempt('r', name, 1))).size).toBe(names.length);
    expect(paths.logs('r', 'a')).toBe('/state/logs/r/a');
    expect(paths.logs('r')).toBe('/state/logs/r');
    expect(paths.cached('code', `sha256:${'a'.repeat(64)}`)).toBe(
      `/state/cache/code/sha256-${'a'.repeat(64)}.cjs`,
    );
  });
});
