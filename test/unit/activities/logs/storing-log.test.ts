import { appendFile, readFile, rm } from 'node:fs/promises';
import { openOutputLog } from '../../../../activities/executors/output-log.js';
import { logStorer } from '../../../../activities/logs/log-storer.js';
import { storingLog } from '../../../../activities/logs/storing-log.js';
import { waitFor } from '../../../support/wait-for.js';
import { openShared } from '../checkpoints/checkpoint-host.js';
import { anAttempt, at } from '../../store/records.js';
import { openLogHost, openReader, place } from './log-host.js';

const all = { all: true };

async function opened() {
  const shared = await openShared();
  const host = await openLogHost(shared);
  const elsewhere = await openLogHost(shared);
  const chunks = () => shared.catalog.logChunks.list(place);
  return { ...shared, ...host, chunks, read: openReader(elsewhere.env) };
}

describe('the log of a running attempt', () => {
  test('is stored in whole lines, with the time of the first and the last', async () => {
    const { log, file, print, chunks, read } = await opened();
    const storer = logStorer(log);
    await storer.store(all);
    expect(await chunks()).toEqual([]);
    await print('one\n');
    await appendFile(file, '2026-01-01T00:00:09.000Z err two\n2026-01-01T00:00:10.000Z out half');
    await storer.store(all);
    const [chunk] = await chunks();
    expect(chunk).toMatchObject({ position: 0, firstAt: '2026-01-01T00:00:00.123456789Z', lastAt: at(9) });
    await storer.store(all);
    expect(await chunks()).toHaveLength(1);
    await appendFile(file, ' a line\n');
    await storer.store(all);
    expect((await chunks()).map(({ sequence, position }) => [sequence, position])).toEqual([
      [1, 0],
      [2, chunk?.size],
    ]);
    expect(await read()).toHaveLength(3);
  });

  test('is stored a MiB at a time, without waiting, and what is less once some time has passed', async () => {
    const { log, file, print, chunks, store, read } = await opened();
    const storer = logStorer(log);
    await print('first\n');
    await storer.store({});
    await print('second\n');
    await storer.store({});
    expect(await chunks()).toHaveLength(1);
    await print(`${'x'.repeat(1000)}\n`.repeat(3_000));
    await storer.store({});
    const stored = await chunks();
    expect(stored.length).toBe(3);
    for (const { size } of stored) expect(size).toBeLessThanOrEqual(2 ** 20);
    await storer.store(all);
    const parts = await Promise.all(
      (await chunks()).map(async ({ digest }) => (await store.read(digest)).toArray()),
    );
    expect(Buffer.concat(parts.flat() as Buffer[]).equals(await readFile(file))).toBe(true);
    expect(await read()).toHaveLength(3_002);
  });

  test('goes on where another worker of the host had come to, each line once', async () => {
    const { log, print, chunks, read } = await opened();
    const dead = logStorer(log);
    await print('one\n');
    await dead.store(all);
    await print('two\n');
    const next = logStorer(log);
    await next.store(all);
    await print('three\n');
    // It only seemed dead.
    await dead.store(all);
    await dead.store(all);
    await next.store(all);
    expect(await chunks()).toHaveLength(3);
    expect(await read()).toEqual(['one', 'two', 'three']);
  });

  test('is stored whole lines however long', async () => {
    const { log, print, chunks } = await opened();
    await print(`${'x'.repeat(3 * 2 ** 20)}\n`);
    await print('next\n');
    await logStorer(log).store(all);
    expect((await chunks())[0]?.size).toBeGreaterThan(3 * 2 ** 20);
  });

  test('never has a part of a secret, also where one lies across a chunk border', async () => {
    const { log, file, chunks, read, store } = await opened();
    const output = await openOutputLog(file, { secrets: ['s3cret-value'] });
    const storer = logStorer(log);
    for (const piece of ['token=s3c', 'ret-', 'value;\n', 'next\ns3cret', '-valu\n', 's3cret-value\n']) {
      output.sinks.out.write(piece);
      await storer.store(all);
    }
    await output.close();
    await storer.store(all);
    expect((await chunks()).length).toBeGreaterThan(1);
    for (const { digest } of await chunks()) {
      const parts = (await (await store.read(digest)).toArray()) as Buffer[];
      expect(Buffer.concat(parts).toString()).not.toMatch(/s3cret-value|ret-value;/);
    }
    const texts = (await read()).map((line) => line.slice(-20));
    expect(texts).toHaveLength(4);
  });

  test('adds nothing once the attempt was given up', async () => {
    const { log, print, chunks, catalog } = await opened();
    const storer = logStorer(log);
    await print('one\n');
    await storer.store(all);
    await catalog.project({ attempts: [anAttempt({ status: 'lost', closedAt: at(9) })] });
    await print('two\n');
    await storer.store(all);
    await storer.store(all);
    expect(await chunks()).toHaveLength(1);
  });

  test('is stored later when the store fails, which is said once', async () => {
    const { log, print, env, warnings, chunks, read } = await opened();
    const { store } = env;
    const broken = { ...store, putBytes: () => Promise.reject(new Error('no room')) };
    const changing = { ...env, store: broken as typeof store };
    const storer = logStorer({ ...log, env: changing });
    await print('one\n');
    await storer.store(all);
    await print('two\n');
    await storer.store(all);
    expect(warnings).toEqual(['the log is not in the store yet: Error: no room']);
    expect(await chunks()).toEqual([]);
    broken.putBytes = store.putBytes.bind(store) as typeof broken.putBytes;
    await storer.store(all);
    expect(await read()).toEqual(['one', 'two']);
  });

  test('is stored while the work goes on; what was printed last only where the program is left', async () => {
    const { log, print, chunks, read, file } = await opened();
    const end = await storingLog(
      log,
      async () => {
        await print('one\n');
        await waitFor(async () => (await chunks()).length > 0, { what: 'a chunk' });
        await print('two\n');
        return 'ended';
      },
      { isLeft: (end) => end === 'left' },
    );
    expect(end).toBe('ended');
    expect(await read()).toEqual(['one']);
    await storingLog(log, () => Promise.resolve('left'), { isLeft: (end) => end === 'left' });
    await rm(file);
    expect(await read()).toEqual(['two']);
    await expect(
      storingLog(log, () => Promise.reject(new Error('engine')), { isLeft: () => true }),
    ).rejects.toThrow('engine');
  });
});
