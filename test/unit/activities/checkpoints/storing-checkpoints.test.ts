import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { StoringOptions } from '../../../../activities/checkpoints/storing-checkpoints.js';
import { storingCheckpoints } from '../../../../activities/checkpoints/storing-checkpoints.js';
import { waitFor } from '../../../support/wait-for.js';
import { openHost, openShared, write } from './checkpoint-host.js';

async function running(every: number, end: ReturnType<StoringOptions['atEnd']> = 'failed') {
  const shared = await openShared();
  const host = await openHost(shared);
  const place = await host.place();
  const sequences = async () =>
    (await shared.catalog.checkpoints.list('run-1', 'train')).map(({ sequence }) => sequence);
  const run = <T>(work: () => Promise<T>) =>
    storingCheckpoints(place, { spec: { everyMs: every, maximum: 1_000 }, atEnd: () => end }, work);
  return { ...host, ...shared, place, sequences, run };
}

test('what a program writes is stored while it runs, and what it wrote last is not where it succeeds', async () => {
  const { place, run, sequences, timeline } = await running(20);
  const result = await run(async () => {
    for (const epoch of [1, 2, 3]) {
      await write(place, { epoch: String(epoch) });
      await waitFor(async () => (await sequences())[0] === epoch, { what: `epoch ${epoch}` });
    }
    return 'made';
  });
  expect(result).toBe('made');
  await write(place, { epoch: '4' });
  expect(await sequences()).toEqual([3, 2]);
  expect(await timeline()).toEqual(['1 checkpoint-stored: stored a checkpoint of 1 B']);
});

const failed = () => Promise.reject(new Error('out of memory'));

test.each(['failed', 'stopped'] as const)(
  'what it wrote last is stored where it %s, before its failure is told',
  async (end) => {
    const { place, run, sequences, timeline } = await running(60_000, end);
    await write(place, { epoch: '1' });
    await writeFile(path.join(place.folder, 'checkpoint/epoch'), '2');
    await expect(run(failed)).rejects.toThrow('out of memory');
    expect(await sequences()).toEqual([1]);
    expect(await timeline()).toEqual(['1 checkpoint-stored: stored its last checkpoint of 1 B']);
  },
);

test('a program that goes on without this worker is left to who takes it up', async () => {
  const { place, run, sequences } = await running(60_000, 'left');
  await write(place, { epoch: '1' });
  await expect(run(failed)).rejects.toThrow('out of memory');
  expect(await sequences()).toEqual([]);
});

test('a store and a catalog that are away never end a step', async () => {
  const { place, run, env, timeline } = await running(20);
  const gone = () => Promise.reject(new Error('away'));
  Object.assign(env, { catalog: { checkpoints: { add: gone } } });
  await write(place, { epoch: '1' });
  const told = () => timeline().then((lines) => lines.length > 0);
  expect(await run(async () => waitFor(told, { what: 'the warning' }))).toBe(true);
  await expect(run(failed)).rejects.toThrow('out of memory');
});
