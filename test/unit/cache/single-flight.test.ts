import { setTimeout as pause } from 'node:timers/promises';
import { singleFlight } from '../../../activities/cache/single-flight.js';
import type { Flight, FlightOptions } from '../../../activities/cache/single-flight.js';
import type { CacheEntry } from '../../../store/cache-index.js';
import type { Catalog } from '../../../store/catalog.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const key = `sha256:${'a'.repeat(64)}` as const;
const times = { renewMs: 40, leaseMs: 200, lookMs: 10 };
let catalog: Catalog;
beforeEach(async () => {
  catalog = await openCatalog(`sqlite:${await temporaryFolder()}/catalog.db`);
});
const flights: Flight[] = [];
afterEach(async () => {
  for (const flight of flights.splice(0)) await flight[Symbol.asyncDispose]();
  await catalog[Symbol.asyncDispose]();
});

const by = (run: string, more: Partial<FlightOptions> = {}): FlightOptions => ({
  cache: catalog.cache,
  key,
  run,
  path: 'train',
  attempt: 1,
  signal: new AbortController().signal,
  onWait: () => undefined,
  arrived: () => catalog.cache.entry(key),
  onTrouble: (error) => {
    throw error;
  },
  times,
  ...more,
});
const entry = (run: string): CacheEntry => ({
  key,
  run,
  path: 'train',
  step: 'train',
  pipeline: 'p',
  output: { by: run },
  createdAt: new Date().toISOString(),
});
const flightOf = async (options: FlightOptions) => {
  const taken = await singleFlight(options);
  if (!('flight' in taken)) throw new Error('there was a result');
  flights.push(taken.flight);
  return taken.flight;
};

test('of twenty who ask at once one computes, and all have its result', async () => {
  let computed = 0;
  const results = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const run = `run-${index}`;
      const taken = await singleFlight(by(run));
      if ('entry' in taken) return taken.entry.output;
      computed += 1;
      await pause(300);
      expect(await taken.flight.commit(entry(run))).toBe(true);
      return entry(run).output;
    }),
  );
  expect(computed).toBe(1);
  expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
});

test('a holder that works longer than the lease time keeps it, and who waits is told of it once', async () => {
  const flight = await flightOf(by('one'));
  const holders: string[] = [];
  const waiting = singleFlight(by('two', { onWait: ({ run, path }) => holders.push(`${run} ${path}`) }));
  await pause(times.leaseMs * 3);
  expect(await flight.commit(entry('one'))).toBe(true);
  expect(await waiting).toMatchObject({ entry: { run: 'one' } });
  expect(holders).toEqual(['one train']);
});

test('a lease that is given back goes to who waits', async () => {
  const flight = await flightOf(by('one'));
  const waiting = flightOf(by('two'));
  await pause(30);
  await flight[Symbol.asyncDispose]();
  expect(await (await waiting).commit(entry('two'))).toBe(true);
});

test('a silent holder is taken over within the lease time, and what it commits later is not kept', async () => {
  const dead = await flightOf(by('dead', { times: { ...times, renewMs: 1e9 } }));
  const next = await flightOf(by('next'));
  expect(await dead.commit(entry('dead'))).toBe(false);
  expect(await catalog.cache.entry(key)).toBeUndefined();
  expect(await next.commit(entry('next'))).toBe(true);
  expect(await catalog.cache.entry(key)).toMatchObject({ run: 'next' });
});

test('another attempt of the same step goes on with the lease at once', async () => {
  const lost = await flightOf(by('one', { times: { ...times, renewMs: 1e9 } }));
  const again = await flightOf(by('one', { attempt: 2, times: { ...times, leaseMs: 1e9 } }));
  expect(await lost.commit(entry('one'))).toBe(false);
  expect(await again.commit(entry('one'))).toBe(true);
});

test('who waits stops when its signal aborts', async () => {
  const flight = await flightOf(by('one'));
  const controller = new AbortController();
  const waiting = singleFlight(by('two', { signal: controller.signal }));
  controller.abort();
  await expect(waiting).rejects.toThrow(/abort/i);
  await flight[Symbol.asyncDispose]();
});

test('who gets the lease and cannot look gives it back', async () => {
  const broken = by('one', { arrived: () => Promise.reject(new Error('the store is away')) });
  await expect(singleFlight(broken)).rejects.toThrow('the store is away');
  await flightOf(by('two', { times: { ...times, leaseMs: 1e9 } }));
});

test('a lease of hours ago does not hold anybody up', async () => {
  const old = await flightOf(by('old', { times: { ...times, renewMs: 1e9 } }));
  await catalog.cache.renew({ key, token: await tokenOf(), at: '2020-01-01T00:00:00.000Z' });
  await flightOf(by('new', { times: { ...times, leaseMs: 1e9 } }));
  expect(await old.commit(entry('old'))).toBe(false);
});

async function tokenOf(): Promise<string> {
  const answer = await catalog.cache.acquire({
    key, run: 'x', path: 'x', attempt: 1, token: 'x', at: new Date().toISOString(), staleBefore: '2000-01-01T00:00:00.000Z',
  }); // prettier-ignore
  if (answer.held) throw new Error('nobody has it');
  return answer.by.token;
}
