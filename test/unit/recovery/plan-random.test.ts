import fc from 'fast-check';
import { planRecovery } from '../../../client/recover/plan-recovery.js';
import type { ArtifactStore } from '../../../store/artifact-store.js';
import { STEP, step } from '../../../sdk/step.js';
import { z } from 'zod';
import { storedSpec } from '../../support/stored-spec.js';
import { stepWork } from '../../../sdk/recovery/step-work.js';
import type { Op, Program, World } from './random-run.js';
import { runProgram } from './random-run.js';

const names = ['train', 'score', 'merge'] as const;
const op: fc.Arbitrary<Op> = fc.record({
  name: fc.constantFrom(...names),
  constant: fc.integer({ min: 0, max: 2 }),
  takes: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 }),
});
const program: fc.Arbitrary<Program> = fc.record({
  branches: fc.array(fc.array(op, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
  after: fc.array(op, { maxLength: 3 }),
});
const worldOf = (failing: readonly string[], versions = {}): World => ({
  versions,
  failing: new Set(failing),
  lasts: (identity) => 1 + (parseInt(identity.slice(6, 10), 16) % 50),
});

/** The random program as a build's pipelines. */
const codeOf = ({ branches, after }: Program): string => `
const runtime = () => globalThis[Symbol.for('millrace.runtime')];
const branch = async (ops, first) => {
  const made = [...first];
  for (const { name, constant, takes } of ops)
    made.push(await runtime().step(name, { constant, inputs: takes.flatMap((back) => made.at(-1 - back) ?? []) }));
  return made.at(-1);
};
const random = () => undefined;
random[Symbol.for('millrace.pipeline')] = {
  name: 'random',
  input: { parse: (input) => input },
  body: async () => {
    const ends = await Promise.all(${JSON.stringify(branches)}.map((ops) => branch(ops, [])));
    await branch(${JSON.stringify(after)}, ends);
  },
};
module.exports = { 'random.pipeline.ts': { random } };`;

const specOf = (name: string, version: number) =>
  storedSpec(
    step({ name, command: ['x'], version: String(version), input: z.object({}), output: z.object({}) })[STEP].spec,
  ); // prettier-ignore

test('a plan promises no result that is not reused, and names as running or depending all that runs', async () => {
  await fc.assert(
    fc.asyncProperty(
      program,
      fc.integer({ min: 0, max: 20 }),
      fc.option(fc.constantFrom(...names), { nil: undefined }),
      async (made, failing, bumped) => {
        const whole = await runProgram(made, worldOf([]));
        const then = worldOf(whole.ran.filter((_, index) => index === failing));
        const former = await runProgram(made, then);
        const now = worldOf([], bumped === undefined ? {} : { [bumped]: 1 });
        const recovered = await runProgram(made, now, { former: former.record, from: [] });
        const plan = await planRecovery({
          recorded: {
            ...former.record,
            works: Object.fromEntries(names.map((name) => [name, stepWork(specOf(name, 0), undefined)])),
          },
          read: () => Promise.reject(new Error('no child')),
          readLarge: () => Promise.reject(new Error('nothing is large')),
          pipeline: 'random',
          input: {},
          tags: {},
          newRun: 'new',
          build: 'b',
          specs: names.map((name) => specOf(name, now.versions[name] ?? 0)),
          plan: { executor: 'process', images: {} },
          code: codeOf(made),
          from: [],
          store: undefined as unknown as ArtifactStore,
        });
        const reused = recovered.given.length - recovered.ran.length;
        expect(plan.planned).toBe(former.record.calls.length);
        expect(plan.reused).toBeLessThanOrEqual(reused);
        expect(plan.runs).toBeLessThanOrEqual(recovered.ran.length);
        // Where a result is not known the way after it is not planned; else all that runs is foreseen.
        const known = !plan.notes.some((note) => note.includes('known only when'));
        if (known) expect(recovered.ran.length).toBeLessThanOrEqual(plan.runs + plan.depends);
        if (known) expect(plan.reused + plan.runs + plan.depends).toBe(recovered.given.length);
        // What is said to be reused is what the former run had.
        const had = new Set(
          former.record.calls.filter(({ outcome }) => outcome === 'completed').map(({ path }) => path),
        );
        for (const { action, from } of plan.steps) if (action === 'reuse') expect(had).toContain(from?.path);
      },
    ),
    { numRuns: 150 },
  );
});
