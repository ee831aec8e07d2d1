import { pino } from 'pino';
import type { Receiver } from '../../../outbox/receiver.js';
import { sendOutbox } from '../../../outbox/send-outbox.js';
import type { Catalog } from '../../../store/catalog.js';
import { newCatalog } from '../client/catalog.js';

const logger = pino({ level: 'silent' });
const messages = (count: number, receiver = 'one') =>
  Array.from({ length: count }, (_, index) => ({ receiver, key: `k${index + 1}`, body: index + 1 }));

describe('sending the outbox', () => {
  let catalog: Catalog;
  let clock: number;
  beforeEach(async () => {
    catalog = await newCatalog();
    clock = Date.now() + 1_000;
  });

  const sending = (send: Receiver['send'], more: { holder?: string; signal?: AbortSignal; timeoutMs?: number } = {}) =>
    sendOutbox({
      outbox: catalog.outbox, receiver: { name: 'one', topics: [], send }, holder: 'me', logger,
      signal: new AbortController().signal, now: () => new Date(clock), random: () => 1, ...more,
    }); // prettier-ignore

  test('delivers all that waits in order, also more than one claim takes', async () => {
    await catalog.outbox.append(messages(120));
    const got: unknown[] = [];
    expect(await sending(async ({ body }) => void got.push(body))).toBe(120);
    expect(got).toEqual(messages(120).map(({ body }) => body));
    expect(await catalog.outbox.receivers()).toEqual([{ receiver: 'one', topics: [], waiting: 0 }]);
  });

  test('stops at what cannot be delivered, waits longer each time, and delivers it and the rest in order when it can', async () => {
    await catalog.outbox.append(messages(3));
    const got: unknown[] = [];
    let broken = true;
    const send: Receiver['send'] = async ({ body }) => {
      if (broken && body === 2)
        throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
      got.push(body);
    };
    const pauses: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      await sending(send);
      const { head } = (await catalog.outbox.receivers())[0]!;
      expect(head).toMatchObject({ attempts: round + 1, error: 'fetch failed: connect ECONNREFUSED' });
      pauses.push(Date.parse(head!.nextAt) - clock);
      expect(await sending(send)).toBe(0);
      clock = Date.parse(head!.nextAt);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    expect(got).toEqual([1]);
    broken = false;
    expect(await sending(send)).toBe(2);
    expect(got).toEqual([1, 2, 3]);
  });

  test('never sends from two processes at once; when one dies the other goes on after its lease', async () => {
    await catalog.outbox.append(messages(2));
    let died: () => void = () => undefined;
    const first = sending(() => new Promise<void>((_, reject) => (died = () => reject(new Error('late')))), { holder: 'dead' }); // prettier-ignore
    await new Promise((resolve) => setTimeout(resolve, 50));
    const got: unknown[] = [];
    const send: Receiver['send'] = async ({ body }) => void got.push(body);
    expect(await sending(send, { holder: 'next' })).toBe(0);
    clock += 31_000;
    expect(await sending(send, { holder: 'next' })).toBe(2);
    expect(got).toEqual([1, 2]);
    died();
    expect(await first).toBe(0);
    expect(await catalog.outbox.list()).toEqual([]);
  });

  test('stops in the middle of what it claimed when its lease went to another meanwhile', async () => {
    await catalog.outbox.append(messages(3));
    const got: unknown[] = [];
    const slow: Receiver['send'] = async ({ body }) => {
      got.push(body);
      // As long as a process that was suspended.
      clock += 31_000;
      await catalog.outbox.claim({ receiver: 'one', holder: 'other', leaseMs: 30_000, now: new Date(clock) });
    };
    expect(await sending(slow)).toBe(1);
    expect(got).toEqual([1]);
    expect((await catalog.outbox.list()).map(({ body }) => body)).toEqual([2, 3]);
  });

  test('gives a delivery up after its time, and lets go of the line at once when the worker stops', async () => {
    await catalog.outbox.append(messages(1));
    const hang: Receiver['send'] = (_, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    await sending(hang, { timeoutMs: 20 });
    expect((await catalog.outbox.list())[0]).toMatchObject({
      attempts: 1,
      error: expect.stringContaining('timeout'),
    });
    clock += 5_000;
    const stopping = new AbortController();
    const stopped = sending(hang, { signal: stopping.signal });
    await new Promise((resolve) => setTimeout(resolve, 50));
    stopping.abort();
    expect(await stopped).toBe(0);
    expect((await catalog.outbox.receivers())[0]).not.toHaveProperty('holder');
    expect((await catalog.outbox.list())[0]).toMatchObject({ attempts: 1 });
  });
});
