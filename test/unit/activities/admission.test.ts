import fc from 'fast-check';
import { createAdmission } from '../../../activities/admission.js';
import { CapacityExceeded } from '../../../sdk/errors.js';
import type { StepSpec } from '../../../sdk/step-spec.js';

const GiB = 2 ** 30;
const capacity = { cpus: 4, memory: 8 * GiB, gpus: 1 };
const needs = (cpus: number, memory = 0, gpus = 0): StepSpec['resources'] => ({
  cpus,
  memory,
  gpus,
  shm: 0,
  pids: 1,
  disk: 0,
});

/** Steps that ask for room, in order; `admitted` lists those that got it. */
function host(of = capacity) {
  const admission = createAdmission(of);
  const admitted: string[] = [];
  const waits: string[] = [];
  const releases = new Map<string, () => void>();
  const aborts = new Map<string, AbortController>();
  return {
    admitted,
    waits,
    async ask(name: string, resources: StepSpec['resources']): Promise<void> {
      const abort = new AbortController();
      aborts.set(name, abort);
      const asked = admission
        .acquire(resources, { signal: abort.signal, onWait: (detail) => waits.push(`${name} ${detail}`) })
        .then((release) => {
          releases.set(name, release);
          admitted.push(name);
        });
      asked.catch(() => undefined);
      await settled();
      if (!admitted.includes(name) && !waits.some((each) => each.startsWith(name))) await asked;
    },
    async release(name: string): Promise<void> {
      releases.get(name)?.();
      await settled();
    },
    async abort(name: string): Promise<void> {
      aborts.get(name)?.abort(new Error('cancelled'));
      await settled();
    },
  };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('steps start at once while there is room, and wait with words when there is none', async () => {
  const { ask, admitted, waits } = host();
  await ask('a', needs(2));
  await ask('b', needs(2));
  await ask('c', needs(1, 0, 0));
  await ask('d', needs(2, 9 * GiB - GiB, 1));
  expect(admitted).toEqual(['a', 'b']);
  expect(waits).toEqual(['c needs 1 cpu', 'd needs 2 cpus']);
});

test('what a step waits for names everything that is short', async () => {
  const { ask, waits } = host();
  await ask('a', needs(4, 8 * GiB, 1));
  await ask('b', needs(0.5, GiB, 1));
  expect(waits).toEqual(['b needs 0.5 cpus, 1.0 GiB memory, 1 gpu']);
});

test('room goes to those who wait in the order they came', async () => {
  const { ask, release, admitted } = host();
  await ask('a', needs(4));
  for (const name of ['b', 'c', 'd']) await ask(name, needs(2));
  expect(admitted).toEqual(['a']);
  await release('a');
  expect(admitted).toEqual(['a', 'b', 'c']);
  await release('c');
  expect(admitted).toEqual(['a', 'b', 'c', 'd']);
});

test('a large step is not starved by small ones that would fit', async () => {
  const { ask, release, admitted, waits } = host();
  await ask('small', needs(1));
  await ask('large', needs(4));
  await ask('late', needs(1));
  expect(waits).toEqual(['large needs 4 cpus', 'late behind a larger step']);
  await release('small');
  expect(admitted).toEqual(['small', 'large']);
  await release('large');
  expect(admitted).toEqual(['small', 'large', 'late']);
});

test('what takes no place waits for nobody', async () => {
  const { ask, admitted } = host();
  await ask('small', needs(1));
  await ask('large', needs(4));
  await ask('inline', needs(0));
  expect(admitted).toEqual(['small', 'inline']);
});

test('what could never be placed is refused, with what it needs and what there is', async () => {
  const admission = createAdmission(capacity);
  const ask = admission.acquire(needs(5, 16 * GiB, 2), {
    signal: new AbortController().signal,
    onWait: () => {},
  });
  await expect(ask).rejects.toThrow(CapacityExceeded);
  await expect(ask).rejects.toThrow(
    "The step needs 5 cpus, 16.0 GiB memory, 2 gpus, and the worker has 4 cpus, 8.0 GiB memory, 1 gpu. Lower the step's `resources`",
  );
});

test('one who is refused stands in nobody`s way', async () => {
  const { ask, admitted } = host();
  await expect(ask('huge', needs(99))).rejects.toThrow(CapacityExceeded);
  await ask('a', needs(4));
  expect(admitted).toEqual(['a']);
});

test('one who gives up while waiting leaves the line, and those behind move up', async () => {
  const { ask, abort, release, admitted } = host();
  await ask('small', needs(1));
  await ask('large', needs(4));
  await ask('late', needs(3));
  await abort('large');
  expect(admitted).toEqual(['small', 'late']);
  await release('small');
  await ask('next', needs(1));
  expect(admitted).toEqual(['small', 'late', 'next']);
});

test('waiting ends with the reason of the abort, and an aborted step takes no room', async () => {
  const admission = createAdmission(capacity);
  const options = (signal: AbortSignal) => ({ signal, onWait: () => {} });
  await admission.acquire(needs(4), options(new AbortController().signal));
  const abort = new AbortController();
  const waiting = admission.acquire(needs(1), options(abort.signal));
  abort.abort(new Error('run cancelled'));
  await expect(waiting).rejects.toThrow('run cancelled');
  await expect(admission.acquire(needs(1), options(abort.signal))).rejects.toThrow('run cancelled');
});

test('an abort after admission changes nothing', async () => {
  const { ask, abort, release, admitted } = host();
  await ask('a', needs(4));
  await ask('b', needs(4));
  await ask('c', needs(4));
  await release('a');
  await abort('b');
  expect(admitted).toEqual(['a', 'b']);
  await release('b');
  expect(admitted).toEqual(['a', 'b', 'c']);
});

test('room given back twice is given back once', async () => {
  const { ask, release, admitted } = host();
  await ask('a', needs(4));
  await ask('b', needs(4));
  await release('a');
  await release('a');
  await ask('c', needs(1));
  expect(admitted).toEqual(['a', 'b']);
});

test('fractions of cpus add up exactly', async () => {
  const { ask, release, admitted } = host({ ...capacity, cpus: 1 });
  const tenths = Array.from({ length: 10 }, (_, index) => `t${index}`);
  for (const name of tenths) await ask(name, needs(0.1));
  expect(admitted).toEqual(tenths);
  for (const name of tenths) await release(name);
  await ask('most', needs(0.9));
  await ask('rest', needs(0.1));
  expect(admitted).toContain('rest');
  await release('most');
  await release('rest');
  await ask('whole', needs(1));
  expect(admitted).toContain('whole');
});

test('whatever steps come and go, the host is never overcommitted and everyone gets a turn', async () => {
  const asked = fc.array(
    fc.record({
      cpus: fc.integer({ min: 1, max: 40 }).map((tenth) => tenth / 10),
      memory: fc.integer({ min: 0, max: 8 }),
      leave: fc.boolean(),
    }),
    { maxLength: 15 },
  );
  await fc.assert(
    fc.asyncProperty(asked, async (steps) => {
      const { ask, abort, release, admitted } = host();
      const used = new Set<number>();
      let taken = 0;
      const check = () => {
        for (const name of admitted.slice(taken)) used.add(Number(name));
        taken = admitted.length;
        const sum = [...used].map((index) => steps[index]!);
        expect(sum.reduce((cpus, step) => cpus + step.cpus, 0)).toBeLessThanOrEqual(4.0005);
        expect(sum.reduce((memory, step) => memory + step.memory, 0)).toBeLessThanOrEqual(8);
      };
      for (const [index, { cpus, memory, leave }] of steps.entries()) {
        await ask(String(index), needs(cpus, memory * GiB));
        check();
        if (leave && !used.has(index)) await abort(String(index));
        check();
      }
      while (used.size > 0) {
        const [first] = used;
        used.delete(first!);
        await release(String(first));
        check();
      }
      const stayed = steps.flatMap(({ leave }, index) => (leave ? [] : [String(index)]));
      expect(admitted).toEqual(expect.arrayContaining(stayed));
      expect(admitted).toEqual([...admitted].sort((a, b) => Number(a) - Number(b)));
    }),
    { numRuns: 100 },
  );
});
