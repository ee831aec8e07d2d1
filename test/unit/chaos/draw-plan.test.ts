import fc from 'fast-check';
import { drawPlan } from '../../chaos/draw-plan.js';
import { faultKinds } from '../../chaos/plan.js';
import { seededRandom } from '../../chaos/random.js';

const faultsOf = (plan: ReturnType<typeof drawPlan>) => plan.waves.flatMap(({ faults }) => faults);
const runsOf = (plan: ReturnType<typeof drawPlan>) => plan.waves.flatMap(({ runs }) => runs);

describe('the plan of a chaos run', () => {
  test('is decided by its seed alone', () => {
    const options = { runs: 20, kinds: faultKinds };
    expect(drawPlan({ ...options, seed: 7 })).toEqual(drawPlan({ ...options, seed: 7 }));
    expect(drawPlan({ ...options, seed: 7 })).not.toEqual(drawPlan({ ...options, seed: 8 }));
  });

  test('has every kind of fault before any comes again, and none that was not asked for', () => {
    fc.assert(
      fc.property(fc.integer(), fc.subarray([...faultKinds], { minLength: 1 }), (seed, kinds) => {
        const faults = faultsOf(drawPlan({ runs: kinds.length * 2, seed, kinds, atOnce: 1, faultsAtOnce: 1 }));
        // In the order they were drawn, since each wave has one.
        expect(faults.slice(0, kinds.length).map(({ kind }) => kind).sort()).toEqual([...kinds].sort());
        expect(faults.slice(kinds.length).map(({ kind }) => kind).sort()).toEqual([...kinds].sort());
      }),
    ); // prettier-ignore
  });

  test('gives each of the runs asked for work that no other has', () => {
    const runs = runsOf(drawPlan({ runs: 50, seed: 1, kinds: faultKinds }));
    expect(new Set(runs.map(({ id }) => id)).size).toBe(50);
    expect(new Set(runs.flatMap(({ input }) => input.shards)).size).toBe(150);
  });

  test('tells the run that is to be out of memory, and no other', () => {
    const plan = drawPlan({ runs: 30, seed: 3, kinds: ['memory', 'kill'] });
    const meant = faultsOf(plan).flatMap((fault) => (fault.kind === 'memory' ? [fault.run] : []));
    const told = runsOf(plan).flatMap(({ id, input }) => (input.gobble ? [id] : []));
    expect(new Set(told)).toEqual(new Set(meant));
    expect(told).not.toEqual([]);
  });

  test('knows of each engine that goes whether it keeps its containers, and has both sorts', () => {
    const plan = drawPlan({ runs: 60, seed: 2, kinds: ['engine'], faultsAtOnce: 2 });
    let keeps = plan.liveRestore;
    const sorts = new Set<boolean>();
    for (const fault of faultsOf(plan)) {
      if (fault.kind !== 'engine') continue;
      expect(fault.liveRestore).toBe(keeps);
      sorts.add(fault.liveRestore);
      keeps = fault.next;
    }
    expect(sorts).toEqual(new Set([true, false]));
  });

  test('has workers and the service away for a moment, and for so long that what they had goes on elsewhere', () => {
    const faults = faultsOf(drawPlan({ runs: 60, seed: 2, kinds: ['kill', 'temporal', 'engine'] }));
    const away = (kind: string) => faults.flatMap((each) => (each.kind === kind && 'downMs' in each ? [each.downMs >= 20_000] : [])); // prettier-ignore
    expect(new Set(away('kill'))).toEqual(new Set([true, false]));
    expect(new Set(away('temporal'))).toEqual(new Set([true, false]));
    expect(new Set(away('engine'))).toEqual(new Set([false]));
  });

  test('is quiet without any kind', () => {
    expect(faultsOf(drawPlan({ runs: 5, seed: 1, kinds: [] }))).toEqual([]);
  });
});

describe('seeded numbers', () => {
  test('stay within their bounds and reach both ends', () => {
    const random = seededRandom(1);
    const drawn = Array.from({ length: 200 }, () => random.between(3, 6));
    expect(new Set(drawn)).toEqual(new Set([3, 4, 5, 6]));
  });

  test('shuffle without losing anything', () => {
    const shuffled = seededRandom(1).shuffled([1, 2, 3, 4, 5]);
    expect(shuffled).toHaveLength(5);
    expect(new Set(shuffled)).toEqual(new Set([1, 2, 3, 4, 5]));
  });
});
