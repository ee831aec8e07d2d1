import { setTimeout as pause } from 'node:timers/promises';
import { createVirtualClock } from '../../../testing/virtual-clock.js';

const day = 24 * 3_600_000;

test('time passes in the order of the timers, those of one moment as they were set, and takes none', async () => {
  const clock = createVirtualClock({ start: 1_000 });
  const rang: string[] = [];
  const note = async (name: string, ms: number) => {
    await clock.sleep(ms);
    rang.push(`${name} ${clock.now()}`);
    if (name === 'b') await note('later', day);
  };
  void note('c', 30);
  void note('a', 10);
  void note('b', 10);
  const began = performance.now();
  expect(await clock.untilQuiet()).toBe('quiet');
  expect(performance.now() - began).toBeLessThan(day);
  expect(rang).toEqual(['a 1010', 'b 1010', 'c 1030', `later ${1_010 + day}`]);
});

test('real work holds time, also work that begins while other goes on', async () => {
  const clock = createVirtualClock({ start: 0 });
  const seen: string[] = [];
  void clock.during(pause(20)).then(async () => {
    seen.push(`first ${clock.now()}`);
    await clock.during(pause(20));
    seen.push(`second ${clock.now()}`);
  });
  void clock.sleep(5).then(() => seen.push(`timer ${clock.now()}`));
  await clock.untilQuiet();
  expect(seen).toEqual(['first 0', 'second 0', 'timer 5']);
});

test('a timer that was taken back does not ring', async () => {
  const clock = createVirtualClock({ start: 0 });
  const ring = jest.fn();
  clock.after(10, ring)();
  await clock.untilQuiet();
  expect([ring.mock.calls.length, clock.now()]).toEqual([0, 0]);
});

test('what waits again and again is found to be endless', async () => {
  const clock = createVirtualClock({ mostTimers: 50 });
  let times = 0;
  void (async () => {
    for (;;) {
      await clock.sleep(1);
      times += 1;
    }
  })();
  expect(await clock.untilQuiet()).toBe('endless');
  expect(times).toBe(50);
});
