import fc from 'fast-check';
import type { RecordedRun } from '../../../sdk/recovery/recorded-run.js';
import type { Op, Program, World } from './random-run.js';
import { allWork, identityOf, names, runProgram } from './random-run.js';

const op: fc.Arbitrary<Op> = fc.record({
  // Few names: most are called many times, from several branches.
  name: fc.constantFrom('train', 'score', 'merge'),
  constant: fc.integer({ min: 0, max: 2 }),
  takes: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 }),
});
const program: fc.Arbitrary<Program> = fc.record({
  branches: fc.array(fc.array(op, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
  after: fc.array(op, { maxLength: 3 }),
});

/** Seeds by which a world decides about a piece of work, so that it may be drawn before the work is known. */
const chance = (seed: number, identity: string, percent: number): boolean =>
  (parseInt(identity.slice(0, 6), 16) * (2 * seed + 1)) % 100 < percent;
const worldOf = (seed: number, failing: readonly string[], versions = {}): World => ({
  versions,
  failing: new Set(failing),
  lasts: (identity) => 1 + ((parseInt(identity.slice(6, 10), 16) * (2 * seed + 1)) % 50),
});
const seed = fc.integer({ min: 0, max: 1_000 });
const percent = fc.constantFrom(0, 10, 40);

/** Takes the content of some results away. */
const withLost = (record: RecordedRun, lost: (identity: string) => boolean, world: World): RecordedRun => ({
  ...record,
  calls: record.calls.map((call) =>
    call.outcome === 'completed' && lost(identityOf(call.name, call.input, world))
      ? { ...call, gone: 'model' }
      : call,
  ),
});

describe('the recovery of a random pipeline', () => {
  test('gives no result to another step, and runs exactly what failed, changed, lost its content or takes what is new', async () => {
    await fc.assert(
      fc.asyncProperty(
        program,
        fc.record({ first: seed, second: seed, failing: percent, lost: percent }),
        fc.option(fc.constantFrom('train', 'score', 'merge'), { nil: undefined }),
        fc.array(fc.tuple(fc.nat(3), fc.nat(4)), { maxLength: 2 }),
        async (before, { first, second, failing, lost }, bumped, edits) => {
          const failures = allWork(before, worldOf(first, []))
            .map(({ identity }) => identity)
            .filter((identity) => chance(first, identity, failing));
          const then = worldOf(first, failures);
          const former = await runProgram(before, then);
          const isLost = (identity: string) => chance(second, identity, lost);

          const program = edited(before, edits);
          const now = worldOf(second, [], bumped === undefined ? {} : { [bumped]: 1 });
          const recovered = await runProgram(program, now, {
            former: withLost(former.record, isLost, then),
            from: [],
          });

          expect(recovered.failed).toBe(false);
          for (const { expected, got } of recovered.given) expect(got).toBe(expected);
          // As often as each piece of work is done today, without those whose result the former run has.
          const kept = former.record.calls
            .filter(({ outcome }) => outcome === 'completed')
            .map(({ name, input }) => identityOf(name, input, then))
            .filter((identity) => !isLost(identity));
          const wanted = allWork(program, now).map(({ identity }) => identity);
          expect([...recovered.ran].sort()).toEqual(without(wanted, kept).sort());
        },
      ),
      { numRuns: 500 },
    );
  });

  test('runs each step of a name that is asked for, and all that takes what it makes', async () => {
    await fc.assert(
      fc.asyncProperty(
        program,
        seed,
        fc.constantFrom('train', 'score', 'merge'),
        async (made, order, asked) => {
          const world = worldOf(order, []);
          const former = await runProgram(made, world);
          const recovered = await runProgram(made, world, { former: former.record, from: [asked] });
          for (const { expected, got } of recovered.given) expect(got).toBe(expected);
          expect([...recovered.ran].sort()).toEqual([...takers(made, asked, world)].sort());
          expect(recovered.ran.length === 0).toBe(!names(made).includes(asked));
        },
      ),
      { numRuns: 200 },
    );
  });
});

/** The program with the constants of some steps changed. */
const edited = ({ branches, after }: Program, edits: readonly (readonly [number, number])[]): Program => ({
  branches: branches.map((ops, branch) =>
    ops.map((each, index) =>
      edits.some(([b, i]) => b === branch && i === index) ? { ...each, constant: each.constant + 10 } : each,
    ),
  ),
  after,
});

/** A list without the items of another one, each as often as it is there. */
function without(all: readonly string[], taken: readonly string[]): string[] {
  const left = [...taken];
  return all.filter((each) => {
    const index = left.indexOf(each);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

/** Work of the name, and what takes it, found by following the values. */
function takers(program: Program, asked: string, world: World): readonly string[] {
  const found: string[] = [];
  const branch = (ops: readonly Op[], first: readonly Value[]): Value | undefined => {
    const made: Value[] = [...first];
    for (const { name, constant, takes } of ops) {
      const inputs = takes.flatMap((back) => made.at(-1 - back) ?? []);
      const identity = identityOf(name, { constant, inputs: inputs.map(({ output }) => output) }, world);
      const anew = name === asked || inputs.some((each) => each.anew);
      if (anew) found.push(identity);
      made.push({ output: { made: identity }, anew });
    }
    return made.at(-1);
  };
  const ends = program.branches.flatMap((ops) => branch(ops, []) ?? []);
  branch(program.after, ends);
  return found;
}
type Value = { readonly output: unknown; readonly anew: boolean };
