import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { keyChanges } from '../../../client/key-changes.js';
import type { ArtifactStore } from '../../../store/artifact-store.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let store: ArtifactStore;
beforeAll(async () => {
  store = await openArtifactStore(`file:${await temporaryFolder()}/artifacts`);
});

async function source(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  return (await store.put(folder)).digest;
}
const ref = (digit: string) => ({ $artifact: 'dataset', digest: `sha256:${digit.repeat(64)}`, type: 'file' });

test('a changed source names its files', async () => {
  const before = await source({ 'train.py': '1', 'lib/a.py': 'a', 'old.py': '' });
  const after = await source({ 'train.py': '2', 'lib/a.py': 'a', 'new.py': '' });
  expect(await keyChanges({ source: before }, { source: after }, store)).toEqual([
    { part: 'source', says: 'new.py is new, old.py is gone, train.py changed' },
  ]);
});

test('a source that was collected since is still said to differ', async () => {
  const gone = `sha256:${'d'.repeat(64)}`;
  const after = await source({ 'train.py': '2' });
  const [change] = await keyChanges({ source: gone }, { source: after }, store);
  expect(change?.says).toMatch(/^sha256:dddddddddddd → sha256:[0-9a-f]{12}$/);
});

test('values, artifacts and all other parts are named with what they were and are', async () => {
  const before = {
    step: 'train', image: ref('1').digest, logic: 'x', network: false, env: { A: '1' },
    input: { trees: 100, table: ref('a'), deep: { list: [1] }, gone: 1 },
  }; // prettier-ignore
  const after = {
    step: 'train', image: ref('2').digest, logic: 'y', network: false, env: { A: '1', B: '2' }, version: '2',
    input: { trees: 200, table: ref('b'), deep: { list: [1, 2] } },
  }; // prettier-ignore
  const changes = await keyChanges(before, after, store);
  expect(changes.map(({ part, says }) => `${part}: ${says}`)).toEqual([
    'env.B: none → 2',
    'image: sha256:111111111111 → sha256:222222222222',
    'input.deep.list.1: none → 2',
    'input.gone: 1 → none',
    'input.table: sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb',
    'input.trees: 100 → 200',
    'logic: the code of the step, its schemas or its imports changed',
    'version: none → 2',
  ]);
});

test('equal keys have no changes', async () => {
  expect(await keyChanges({ a: 1, input: { x: [1] } }, { a: 1, input: { x: [1] } }, store)).toEqual([]);
});
