import { inlineBudget } from '../../../client/inline-budget.js';

const kib = 1024;

/** A budget on a clock of its own. */
function onClock() {
  let now = 0;
  const budget = inlineBudget(() => now);
  return {
    fits: (run: string, size: number) => budget.fits(run, size),
    pass: (ms: number) => (now += ms),
  };
}

const count = (times: number, fits: () => boolean) =>
  Array.from({ length: times }, fits).filter(Boolean).length;

test('what a run sends at once stays inline up to 2.5 MiB, its children counted', () => {
  const { fits } = onClock();
  const inline = count(60, () => fits('run-1', 60 * kib)) + count(60, () => fits('run-1.child#2', 60 * kib));
  expect(inline * 60 * kib).toBeLessThan(2.5 * 1024 * kib);
  expect(inline * 60 * kib).toBeGreaterThan(2.3 * 1024 * kib);
});

test('each run has its own budget', () => {
  const { fits } = onClock();
  count(60, () => fits('run-1', 60 * kib));
  expect(fits('run-1', kib)).toBe(false);
  expect(fits('run-2', kib)).toBe(true);
});

test('steps one after the other do not add up', () => {
  const { fits, pass } = onClock();
  for (let step = 0; step < 1_000; step++) {
    pass(100);
    expect(fits('run-1', 100 * kib)).toBe(true);
  }
});

test('a message that takes long to make does not begin anew half-way; after a quiet second the next one does', () => {
  const { fits, pass } = onClock();
  count(60, () => fits('run-1', 60 * kib));
  for (let payload = 0; payload < 100; payload++) {
    pass(500);
    expect(fits('run-1', 60 * kib)).toBe(false);
  }
  pass(1_001);
  expect(fits('run-1', 60 * kib)).toBe(true);
});
