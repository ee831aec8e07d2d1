import { appendFile, readFile, rm, truncate } from 'node:fs/promises';
import { logStorer } from '../../../activities/logs/log-storer.js';
import { openShared } from '../activities/checkpoints/checkpoint-host.js';
import { openLogHost, openReader, place } from '../activities/logs/log-host.js';
import { anAttempt, at } from '../store/records.js';

async function opened() {
  const shared = await openShared();
  const host = await openLogHost(shared);
  const elsewhere = await openLogHost(shared);
  const storer = logStorer(host.log);
  let whole: string | undefined;
  return {
    ...shared,
    ...host,
    store: () => storer.store({ all: true }),
    /** The attempt ends: its log is one. */
    end: async () => {
      const { digest } = await shared.store.put(host.file);
      const row = anAttempt({ status: 'completed', closedAt: at(9), log: digest });
      whole = digest;
      await shared.catalog.project({ attempts: [row] });
      return row;
    },
    elsewhere: elsewhere.env,
    forget: async () => {
      for (const { digest } of await shared.catalog.logChunks.list(place)) await shared.store.remove(digest);
      expect(whole).toBeUndefined();
    },
  };
}

describe('reading the log of an attempt', () => {
  test('follows the file of this host, as far as its lines are whole', async () => {
    const { env, file, print } = await opened();
    const read = openReader(env);
    expect(await read(undefined, false)).toEqual([]);
    await print('one\ntwo\n');
    expect(await read(undefined, false)).toEqual(['one', 'two']);
    await print('half');
    expect(await read(undefined, false)).toEqual([]);
    await appendFile(file, ' done\n2026-01-01T00:00:00.123456789Z err one\u2028line\n');
    expect(await read(undefined, false)).toEqual(['half done', 'one\u2028line']);
    expect(await read(undefined, false)).toEqual([]);
  });

  test('reads what is new of a file only', async () => {
    const { env, file, print } = await opened();
    const read = openReader(env);
    await print(`${'x'.repeat(100)}\n`.repeat(30_000));
    expect(await read(undefined, false)).toHaveLength(30_000);
    // What was read is not looked at again.
    const { length } = await readFile(file);
    await truncate(file, 0);
    await truncate(file, length);
    await print('new\n');
    expect(await read(undefined, false)).toEqual(['new']);
  });

  test('follows chunks in the store where this host has no file, then the log as a whole', async () => {
    const { elsewhere, print, store, end } = await opened();
    const read = openReader(elsewhere);
    await print('one\n');
    await store();
    await print('two\n');
    await store();
    expect(await read()).toEqual(['one', 'two']);
    expect(await read()).toEqual([]);
    await print('three\n');
    await store();
    expect(await read()).toEqual(['three']);
    await print('four\nfive\n');
    await store();
    const row = await end();
    expect(await read(row)).toEqual(['four', 'five']);
    expect(await read(row)).toEqual([]);
    expect(await openReader(elsewhere)(row)).toEqual(['one', 'two', 'three', 'four', 'five']);
  });

  test('goes on in the store when the file of this host is gone, within a chunk too', async () => {
    const { env, file, print, store } = await opened();
    const read = openReader(env);
    await print('one\n');
    expect(await read()).toEqual(['one']);
    await print('two\n');
    await store();
    await rm(file);
    expect(await read()).toEqual(['two']);
  });

  test('takes the log as a whole when it has just come in the place of chunks', async () => {
    const { elsewhere, catalog, print, store, end } = await opened();
    const read = openReader(elsewhere);
    await print('one\n');
    await store();
    const [chunk] = await catalog.logChunks.list(place);
    await print('two\n');
    await end();
    // As they were when it looked.
    const stale = { ...elsewhere, catalog: { ...catalog, logChunks: { ...catalog.logChunks, list: () => Promise.resolve([chunk!]) } } }; // prettier-ignore
    await elsewhere.store.remove(chunk!.digest);
    expect(await openReader(stale)()).toEqual(['one', 'two']);
    expect(await read(anAttempt({ status: 'completed' }))).toEqual([]);
  });

  test('says so when a chunk is gone', async () => {
    const { elsewhere, print, store, forget } = await opened();
    await print('one\n');
    await store();
    await forget();
    await expect(openReader(elsewhere)()).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
  });

  test('asks the catalog for chunks once a second at most while somebody follows', async () => {
    const { elsewhere, catalog } = await opened();
    let asked = 0;
    const list = (...args: Parameters<typeof catalog.logChunks.list>) => {
      asked += 1;
      return catalog.logChunks.list(...args);
    };
    const read = openReader({
      ...elsewhere,
      catalog: { ...catalog, logChunks: { ...catalog.logChunks, list } },
    });
    await read(undefined, false);
    await read(undefined, false);
    expect(asked).toBe(1);
    await read(undefined, true);
    expect(asked).toBe(2);
    // A closed one that has none gets none any more.
    await read(anAttempt({ status: 'failed' }), true);
    await read(anAttempt({ status: 'failed' }), true);
    expect(asked).toBe(3);
  });
});
