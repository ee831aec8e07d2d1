import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { noteWork } from '../../../activities/carry-checkpoint.js';
import { statePaths } from '../../../config/state-paths.js';
import { localCheckpoints, newestOf, storedCheckpoints } from '../../../debug/newest-checkpoint.js';
import type { Digest } from '../../../sdk/artifact.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aRun, at, digest as aDigest } from '../store/records.js';

const place = { run: 'run-1', step: 'train' };

async function host() {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${folder}/artifacts`);
  const catalog = await openCatalog(`sqlite:${folder}/catalog.db`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  await catalog.insertRun(aRun());
  const paths = statePaths(folder);
  const write = async (to: string, words: string) => {
    await mkdir(to, { recursive: true });
    await writeFile(path.join(to, 'state'), words);
    return to;
  };
  return {
    async leave(attempt: number, words: string, work?: Digest) {
      const of = paths.attempt('run-1', 'train', attempt);
      const left = await write(path.join(of, 'checkpoint'), words);
      if (work !== undefined) await noteWork(of, work);
      return left;
    },
    async keep(attempt: number, words: string, work?: Digest) {
      const { digest, size } = await store.put(await write(path.join(folder, `put-${words}`), words));
      const about = { run: 'run-1', path: 'train', attempt, digest, size, at: at(attempt) };
      await catalog.checkpoints.add({ ...about, ...(work !== undefined && { work }) });
      return digest;
    },
    store,
    /** What is had of the newest checkpoint up to an attempt: whose it is, and what is in it. */
    async newest(upTo: number, work?: Digest) {
      const source = newestOf(localCheckpoints(paths), storedCheckpoints({ catalog, store }));
      const found = await source({ ...place, upTo, ...(work !== undefined && { work }) });
      if (!found) return undefined;
      const target = path.join(folder, `placed-${upTo}-${Math.random()}`);
      await found.place(target);
      return `${found.attempt} ${await readFile(path.join(target, 'state'), 'utf8')}`;
    },
  };
}

test('of what lies here and what was stored the newest is taken, what lies here first, and nothing newer than asked for', async () => {
  const { leave, keep, newest } = await host();
  expect(await newest(9)).toBeUndefined();
  await keep(1, 'stored-1');
  expect(await newest(9)).toBe('1 stored-1');
  const left = await leave(1, 'left-1');
  expect(await newest(9)).toBe('1 left-1');
  await keep(2, 'stored-2');
  expect(await newest(9)).toBe('2 stored-2');
  expect(await newest(1)).toBe('1 left-1');
  expect(await newest(0)).toBeUndefined();
  // It is copied: the next attempt finds it.
  expect(await readFile(path.join(left, 'state'), 'utf8')).toBe('left-1');
});

test('a stored one whose content is lost is passed over', async () => {
  const { keep, newest, store } = await host();
  await keep(1, 'stored-1');
  await store.remove(await keep(2, 'stored-2'));
  expect(await newest(9)).toBe('1 stored-1');
});

test('one of another input, source or image is passed over, wherever it is; one of unknown work counts', async () => {
  const { leave, keep, newest } = await host();
  const [old, repaired] = [aDigest('a'), aDigest('b')];
  await keep(1, 'stored-1', old);
  await leave(2, 'left-2', repaired);
  await keep(3, 'stored-3', repaired);
  expect(await newest(9)).toBe('3 stored-3');
  expect(await newest(9, repaired)).toBe('3 stored-3');
  expect(await newest(2, repaired)).toBe('2 left-2');
  expect(await newest(9, old)).toBe('1 stored-1');
  expect(await newest(9, aDigest('c'))).toBeUndefined();
  await leave(1, 'left-1');
  expect(await newest(9, aDigest('c'))).toBe('1 left-1');
});
