import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CheckpointPlace } from '../../../../activities/checkpoints/checkpoint-place.js';
import { checkpointStorer } from '../../../../activities/checkpoints/checkpoint-storer.js';
import { restoreCheckpoint } from '../../../../activities/checkpoints/restore-checkpoint.js';
import { InfrastructureFailed } from '../../../../sdk/errors.js';
import { digest } from '../../store/records.js';
import { openHost, openShared, write } from './checkpoint-host.js';

const store = async (place: CheckpointPlace, epoch: string) => {
  await write(place, { epoch });
  expect(await checkpointStorer(place, 1_000).store({ calm: false })).toBe('stored');
};
const epochOf = ({ folder }: CheckpointPlace) =>
  readFile(path.join(folder, 'checkpoint/epoch'), 'utf8').catch(() => undefined);

async function hosts() {
  const shared = await openShared();
  return { ...shared, a: await openHost(shared), b: await openHost(shared) };
}

test('the first attempt finds nothing', async () => {
  const { a } = await hosts();
  const place = await a.place();
  await restoreCheckpoint(place);
  expect(await readdir(place.folder)).toEqual([]);
});

test('another host goes on from what was stored last, and may write to it', async () => {
  const { a, b } = await hosts();
  const first = await a.place(1);
  for (const epoch of ['1', '2', '3']) await store(first, epoch);
  const second = await b.place(2);
  await restoreCheckpoint(second);
  expect(await epochOf(second)).toBe('3');
  await writeFile(path.join(second.folder, 'checkpoint/epoch'), '4');
  expect(await b.timeline()).toContainEqual(
    expect.stringMatching(/^2 checkpoint-restored: goes on from checkpoint 3 of attempt 1 \(1 B\), stored \d+ s before$/),
  );
}); // prettier-ignore

test('the same host goes on from what the attempt left there, which may be newer than what was stored', async () => {
  const { a } = await hosts();
  const first = await a.place(1);
  await store(first, '1');
  await write(first, { epoch: '2' });
  const second = await a.place(2);
  await restoreCheckpoint(second);
  expect(await epochOf(second)).toBe('2');
  expect(await a.timeline()).toContain(
    '2 checkpoint-restored: goes on from what attempt 1 left on this host',
  );
});

test('a host that had the step before another goes on from what the other one stored', async () => {
  const { a, b } = await hosts();
  await store(await a.place(1), '1');
  await store(await b.place(2), '2');
  const third = await a.place(3);
  await restoreCheckpoint(third);
  expect(await epochOf(third)).toBe('2');
  // And from its own, where the other one got no further.
  const [fifth, sixth] = [await a.place(5), await a.place(6)];
  await write(fifth, { epoch: '5' });
  await restoreCheckpoint(sixth);
  expect(await epochOf(sixth)).toBe('5');
});

test('where the newest is missing or broken the one before counts, and where none is whole it begins anew', async () => {
  const { a, b, catalog, store: artifacts, folder } = await hosts();
  const first = await a.place(1);
  await store(first, '1');
  await store(first, '2');
  const [newest, before] = await catalog.checkpoints.list('run-1', 'train');
  await artifacts.remove(newest!.digest);
  const second = await b.place(2);
  await restoreCheckpoint(second);
  expect(await epochOf(second)).toBe('1');

  const hex = before!.digest.slice(7);
  const blob = path.join(folder, 'store/v1/blobs/sha256', hex.slice(0, 2), hex.slice(2));
  await chmod(blob, 0o600);
  await writeFile(blob, 'spoilt');
  const elsewhere = await openHost({ catalog, store: artifacts });
  const third = await elsewhere.place(3);
  await restoreCheckpoint(third);
  expect(await readdir(third.folder)).toEqual([]);
  expect((await elsewhere.timeline()).filter((line) => line.startsWith('3'))).toEqual([
    '3 checkpoint-lost: checkpoint 2 of attempt 1 is missing in the store',
    '3 checkpoint-lost: checkpoint 1 of attempt 1 is broken in the store',
    '3 checkpoint-lost: no checkpoint is whole: begins anew',
  ]);
});

test('a store that does not answer is no lost checkpoint: the attempt fails and another one asks again', async () => {
  const { a, b } = await hosts();
  await store(await a.place(1), '1');
  const second = await b.place(2);
  for (const error of [new Error('It is away.'), new InfrastructureFailed('It is away.')]) {
    Object.assign(b.env, { store: { place: () => Promise.reject(error) } });
    await expect(restoreCheckpoint(second)).rejects.toThrow('It is away.');
  }
});

const other = digest('2');
const leftAside = '2 checkpoint-left-aside: the checkpoint of attempt 1 is of another input, source or image: it is left aside'; // prettier-ignore

test('what was left of other work is left aside on the host that has it and on any other, and the step begins anew', async () => {
  const { a, b } = await hosts();
  await store(await a.place(1), '1');
  for (const host of [a, b]) {
    const second = await host.place(2, 'train', other);
    await restoreCheckpoint(second);
    expect(await epochOf(second)).toBeUndefined();
    expect(await host.timeline()).toContain(leftAside);
  }
});

test('an attempt goes on from the newest of its own work, past what was left of other work', async () => {
  const { a, b } = await hosts();
  await store(await a.place(1), '1');
  await store(await a.place(2, 'train', other), '2');
  const third = await b.place(3);
  await restoreCheckpoint(third);
  expect(await epochOf(third)).toBe('1');
  const fourth = await a.place(4, 'train', other);
  await restoreCheckpoint(fourth);
  expect(await epochOf(fourth)).toBe('2');
});

test('what nobody noted the work of counts for any', async () => {
  const { a } = await hosts();
  const first = await a.place(1);
  await write(first, { epoch: '1' });
  await rm(`${first.folder}.work`);
  const second = await a.place(2);
  await restoreCheckpoint(second);
  expect(await epochOf(second)).toBe('1');
});
