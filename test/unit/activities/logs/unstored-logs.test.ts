import { readdir, rm } from 'node:fs/promises';
import { logStorer } from '../../../../activities/logs/log-storer.js';
import { noteLog, storeLeftLogs } from '../../../../activities/logs/unstored-logs.js';
import { takeFileLock } from '../../../../activities/executors/file-lock.js';
import { anAttempt, at, digest } from '../../store/records.js';
import { openShared } from '../checkpoints/checkpoint-host.js';
import { openLogHost, openReader, place } from './log-host.js';

/** An attempt whose worker died when a part of its log was in the store. */
async function died() {
  const shared = await openShared();
  const { catalog } = shared;
  const host = await openLogHost(shared);
  await catalog.project({ attempts: [anAttempt()] });
  await noteLog(host.env.paths, place);
  await host.print('stored\n');
  await logStorer(host.log).store({ all: true });
  await host.print('last words\n');
  const elsewhere = await openLogHost(shared);
  return {
    ...shared,
    ...host,
    row: async () => (await catalog.attempts('run-1'))[0]!,
    notes: () => readdir(host.env.paths.unstoredLogs),
    read: async () => openReader(elsewhere.env)((await catalog.attempts('run-1'))[0]),
  };
}

describe('what a worker that died left of logs on its host', () => {
  test('is stored as a whole once the attempt was given up', async () => {
    const { env, catalog, row, notes, read } = await died();
    await storeLeftLogs(env);
    expect((await row()).log).toBeUndefined();
    await catalog.project({ attempts: [anAttempt({ status: 'lost', closedAt: at(9) })] });
    expect(await read()).toEqual(['stored']);
    await storeLeftLogs(env);
    expect(await row()).toMatchObject({ status: 'lost', log: expect.stringMatching(/^sha256:/) });
    expect(await catalog.logChunks.list(place)).toEqual([]);
    expect(await read()).toEqual(['stored', 'last words']);
    expect(await notes()).toHaveLength(1);
    await storeLeftLogs(env);
    expect(await notes()).toEqual([]);
  });

  test('is stored also when the run closed meanwhile', async () => {
    const { env, catalog, read } = await died();
    await catalog.updateRun({ id: 'run-1', status: 'cancelled', closedAt: at(9) });
    await storeLeftLogs(env);
    expect(await read()).toEqual(['stored', 'last words']);
  });

  test('is left to who follows the attempt still', async () => {
    const { env, catalog, file, row } = await died();
    await catalog.project({ attempts: [anAttempt({ status: 'lost', closedAt: at(9) })] });
    const lock = await takeFileLock(`${file}.lock`, { signal: new AbortController().signal });
    await storeLeftLogs(env);
    expect((await row()).log).toBeUndefined();
    await lock[Symbol.asyncDispose]();
    await storeLeftLogs(env);
    expect((await row()).log).toBeDefined();
  });

  test('never takes the place of more', async () => {
    const { env, catalog, file, print, row, notes, read } = await died();
    await catalog.project({ attempts: [anAttempt({ status: 'lost', closedAt: at(9) })] });
    await rm(file);
    await print('a\n');
    await storeLeftLogs(env);
    expect((await row()).log).toBeUndefined();
    expect(await notes()).toEqual([]);
    expect(await read()).toEqual(['stored']);
  });

  test('never takes the place of more that came from elsewhere while it was stored', async () => {
    const { env, catalog, row, notes } = await died();
    await catalog.project({ attempts: [anAttempt({ status: 'failed', closedAt: at(9) })] });
    const put: typeof env.store.put = async (...given) => {
      const stored = await env.store.put(...given);
      const position = (await catalog.logChunks.next(place))!;
      await catalog.logChunks.add({ ...place, position, digest: digest('e'), size: 10_000, firstAt: at(8), lastAt: at(9) }); // prettier-ignore
      return stored;
    };
    await storeLeftLogs({ ...env, store: { ...env.store, put } });
    expect((await row()).log).toBeUndefined();
    expect((await catalog.logChunks.list(place)).at(-1)?.digest).toBe(digest('e'));
    expect(await notes()).toEqual([]);
  });

  test('leaves a whole log as it is that was named while it was stored', async () => {
    const { env, catalog, row } = await died();
    const failed = anAttempt({ status: 'failed', closedAt: at(9) });
    await catalog.project({ attempts: [failed] });
    const put: typeof env.store.put = async (...given) => {
      await catalog.project({ attempts: [{ ...failed, log: digest('e') }] });
      return env.store.put(...given);
    };
    await storeLeftLogs({ ...env, store: { ...env.store, put } });
    expect((await row()).log).toBe(digest('e'));
  });

  test('is asked for again while the store is away', async () => {
    const { env, catalog, notes, read, warnings } = await died();
    await catalog.project({ attempts: [anAttempt({ status: 'failed', closedAt: at(9) })] });
    const away = { ...env.store, put: () => Promise.reject(new Error('away')) } as typeof env.store;
    await storeLeftLogs({ ...env, store: away });
    expect([warnings.length, (await notes()).length]).toEqual([1, 1]);
    await storeLeftLogs(env);
    expect(await read()).toEqual(['stored', 'last words']);
  });

  test('is nobody\u2019s once the run is gone', async () => {
    const { env, catalog, notes } = await died();
    await catalog.updateRun({ id: 'run-1', status: 'failed', closedAt: at(9) });
    expect(await catalog.garbage.forgetTree(['run-1'], at(59))).toBe(true);
    await storeLeftLogs(env);
    expect(await notes()).toEqual([]);
  });
});
