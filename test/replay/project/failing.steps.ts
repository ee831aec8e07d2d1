import { setTimeout as pause } from 'node:timers/promises';
import { step } from 'millrace';
import { z } from 'zod';

const number = z.object({ n: z.number() });
const shape = { isolation: 'process', input: number, output: number } as const;

export const flaky = step(
  { ...shape, name: 'flaky', retry: { attempts: 2, initialInterval: '50 ms' } },
  ({ n }, { attempt }) => {
    if (attempt === 1) throw new Error('the first time');
    return { n: n + attempt };
  },
);
export const mendable = step(
  { ...shape, name: 'mendable', input: number.extend({ good: z.boolean() }), onFailure: 'park' },
  ({ n, good }) => {
    if (!good) throw new Error('no good');
    return { n };
  },
);
export const hopeless = step({ ...shape, name: 'hopeless', onFailure: 'park' }, () => {
  throw new Error('never');
});
export const optional = step(
  { ...shape, name: 'optional', output: number.partial(), onFailure: 'park' },
  () => {
    throw new Error('none');
  },
);
export const slow = step({ ...shape, name: 'slow', timeout: { step: '1 s' } }, async ({ n }, { signal }) => {
  await pause(600_000, undefined, { signal });
  return { n };
});
/** Its first attempt lasts until its worker is killed. */
export const long = step({ ...shape, name: 'long' }, async ({ n }, { attempt }) => {
  if (attempt === 1) await pause(600_000);
  return { n: n + attempt };
});
/** Outlives its worker. */
export const boxed = step({
  name: 'boxed',
  image: 'busybox:latest',
  command: ['sh', '-c', 'sleep 25; echo \'{"n": 3}\' > $MILLRACE_DIR/output.json'],
  input: number,
  output: number,
});
