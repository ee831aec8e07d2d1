import { text } from 'node:stream/consumers';
import type { PlanRecoveryOptions } from '../../../client/recover/plan-recovery.js';
import { planRecovery } from '../../../client/recover/plan-recovery.js';
import type { RecoveryPlan } from '../../../client/recover/recovery-plan.js';
import { planSummary } from '../../../client/recover/recovery-plan.js';
import type { RecordedCall, RecordedRun } from '../../../sdk/recovery/recorded-run.js';
import { stepWork } from '../../../sdk/recovery/step-work.js';
import type { ProjectBuild } from '../../../workers/build/build-project.js';
import type { Builder } from '../build/project.js';
import { openBuilder, writeProject } from '../build/project.js';
import { aModel } from '../store/records.js';

jest.setTimeout(60_000);
const steps = (names: readonly string[]) => `
import { model, step } from 'millrace';
import { z } from 'zod';
const io = { isolation: 'process' as const, input: z.any() as unknown as z.ZodObject, output: z.object({ model: model(), score: z.number() }) };
${names.map((name) => `export const ${name} = step({ ...io, name: '${name}' }, () => ({ score: 1 }) as never);`).join('\n')}`;
const pipelines = `
import { approval, atLeast, gate, pipeline, promote, register, runInfo, sleep } from 'millrace';
import { z } from 'zod';
import { first, other, second, third } from './p.steps.js';
const any = z.object({ n: z.number() });
const made = (name: string, body: (input: { n: number }) => Promise<unknown>) => pipeline({ name, input: any }, body as never);
export const chain = made('chain', async ({ n }) => {
  const { model, score } = await first({ n });
  await gate('enough', { score: atLeast(score, 0.5) });
  const [, b] = await Promise.all([other({ n }), second({ model })]);
  return third({ score: b.score });
});
export const caught = made('caught', async ({ n }) => {
  const { score } = await first({ n }).catch(() => other({ n: -n }));
  return second({ score });
});
export const release = made('release', async ({ n }) => {
  const { model } = await first({ n });
  const candidate = await register('m', { model });
  await approval('go', { of: candidate, within: '1 hour' });
  return promote(candidate);
});
export const inner = made('inner', async ({ n }) => first({ n }));
export const outer = made('outer', async ({ n }) => { const { score } = await (inner as never as (i: object) => Promise<{ score: number }>)({ n }); return second({ score }); });
export const naps = made('naps', async ({ n }) => { await sleep('2 days'); return first({ n, year: new Date().getFullYear(), run: runInfo().run, chance: Math.random() < 2 }); });
export const endless = made('endless', async () => { for (;;) await sleep('1 hour'); });
export const floating = made('floating', async ({ n }) => {
  const lost = (async () => { await gate('never', { score: atLeast(0, 1) }); })();
  await first({ n });
  await lost;
});
`;
const input = { n: 1 };
const output = { model: aModel(), score: 0.9 };

describe('the plan of a recovery', () => {
  let builder: Builder;
  let built: ProjectBuild;
  let code: string;
  beforeAll(async () => {
    builder = await openBuilder();
    built = await builder.build(
      await writeProject({
        'p.steps.ts': steps(['first', 'second', 'third', 'other']),
        'p.pipeline.ts': pipelines,
      }),
    );
    code = await text(await builder.store.read(built.record.nodeBundle));
  });

  const call = (path: string, given: Partial<RecordedCall> = {}): RecordedCall => ({
    path,
    name: path.replace(/#.*/, ''),
    kind: 'step',
    outcome: 'completed',
    input,
    output,
    maker: { run: 'old', path },
    ...given,
  });
  const recordOf = (calls: readonly RecordedCall[], run = 'old'): RecordedRun => {
    const works = built.record.steps.map(
      (spec) => [spec.name, stepWork(spec, { executor: 'process', images: {} })] as const,
    );
    return { run, works: Object.fromEntries(works), calls };
  };
  const plan = (
    pipeline: string,
    calls: readonly RecordedCall[],
    given: Partial<PlanRecoveryOptions> = {},
  ): Promise<RecoveryPlan> =>
    planRecovery({
      recorded: recordOf(calls),
      read: () => Promise.reject(new Error('no child')),
      readLarge: () => Promise.reject(new Error('nothing is large')),
      pipeline,
      input,
      tags: {},
      newRun: 'new',
      build: built.record.id,
      specs: built.record.steps,
      plan: { executor: 'process', images: {} },
      code,
      from: [],
      store: builder.store,
      ...given,
    });
  const said = ({ steps: planned }: RecoveryPlan) =>
    planned.map(({ path, action, why }) => `${path}: ${action} (${why})`);
  const chained = [
    call('first'),
    call('enough', { kind: 'gate' }),
    call('other'),
    call('second', { input: { model: output.model } }),
    call('third', { input: { score: 0.9 } }),
  ];
  const withPart = (part: object, path: string, calls = chained): RecordedCall[] =>
    calls.map((each) => (each.path === path ? { ...each, ...part } : each));

  test('reuses all of a run that is called again as it was', async () => {
    const found = await plan('chain', chained);
    expect(planSummary(found)).toBe('planned 5, reused 5, run 0, changed 0');
    expect(found.notes).toEqual([]);
  });

  test('tells what failed from what depends on it and what goes its own way', async () => {
    const recorded = recordOf(chained);
    const changed = { ...recorded.works['first']!, version: '1' };
    const found = await plan('chain', chained, {
      recorded: { ...recorded, works: { ...recorded.works, first: changed } },
    });
    expect(said(found)).toEqual([
      'first: run (version: 1 → none)',
      'enough: depends (is judged on what they give)',
      'other: reuse (from old)',
      'second: depends (takes what first makes)',
      'third: depends (takes what first, second makes)',
    ]);
    expect(planSummary(found)).toBe(
      'planned 5, reused 1, run 1, depends 3, changed 1 because first: version: 1 → none',
    );
    expect(found.notes).toEqual([expect.stringContaining('What comes after first is planned as if')]);
  });

  test('says of what failed that nothing is known after it', async () => {
    const found = await plan('chain', withPart({ outcome: 'failed', failure: 'OUT_OF_MEMORY', output: undefined }, 'second', chained.slice(0, 4))); // prettier-ignore
    expect(said(found)).toEqual([
      'first: reuse (from old)',
      'enough: reuse (judged again: pass)',
      'other: reuse (from old)',
      'second: run (failed: OUT_OF_MEMORY)',
    ]);
    expect(found.notes).toEqual([expect.stringContaining('after second is known only when')]);
  });

  test('names an input that is another, a call that is new, and one that is made no more', async () => {
    const another = await plan('chain', withPart({ input: { score: 2 } }, 'third'));
    expect(said(another).slice(-2)).toEqual([
      'second: reuse (from old)',
      'third: run (input.score: 2 → 0.9)',
    ]);
    expect(planSummary(another)).toBe(
      'planned 5, reused 4, run 1, changed 1 because third: input.score: 2 → 0.9',
    );
    const more = await plan(
      'chain',
      chained.filter(({ path }) => path !== 'other'),
    );
    expect(said(more).slice(2)).toEqual([
      'other: run (never ran)',
      'second: reuse (from old)',
      'third: depends (called after other)',
    ]);
    const whole = await plan('chain', [...chained, call('gone')]);
    expect([whole.dropped, whole.planned, whole.reused]).toEqual([['gone'], 6, 5]);
  });

  test('sees that the run will end as it did, at a gate or a rejection', async () => {
    const failing = await plan('chain', withPart({ output: { ...output, score: 0.1 } }, 'first'));
    expect(failing.notes).toEqual([expect.stringContaining('The run will end so again: GATE_FAILED')]);
    expect(said(failing).at(-1)).toBe('third: depends (the run ends before it)');
    const rejected = await plan(
      'release',
      released({ decision: 'rejected', by: 'ada', reason: 'no', gate: 'go', at: '' }),
    );
    expect(said(rejected)).toContain('go: reuse (from old)');
    expect(rejected.notes).toEqual([expect.stringContaining('APPROVAL_REJECTED')]);
  });

  const version = { name: 'm', version: 4, model: aModel() };
  const released = (decision: object): readonly RecordedCall[] => [
    call('first'),
    call('register', { kind: 'register', input: { name: 'm', model: aModel(), metrics: {}, evidence: null }, output: version }),
    call('go', { kind: 'approval', input: { of: version, evidence: null }, output: decision }),
    call('promote', { kind: 'promote', input: { name: 'm', version: 4, alias: 'champion' }, output: { name: 'm', version: 4, alias: 'champion' } }),
  ]; // prettier-ignore
  const approved = released({ decision: 'approved', by: 'ada', gate: 'go', at: '' });

  test('repeats no effect, unless it is asked for or its bytes are others', async () => {
    expect(planSummary(await plan('release', approved))).toBe('planned 4, reused 4, run 0, changed 0');
    expect(said(await plan('release', approved, { from: ['go'] }))).toEqual([
      'first: reuse (from old)',
      'register: reuse (from old)',
      'go: run (asked for)',
      'promote: reuse (from old)',
    ]);
    expect(said(await plan('release', approved, { from: ['first'] })).slice(1)).toEqual([
      'register: depends (takes what first makes)',
      'go: depends (takes what register, first makes)',
      'promote: depends (takes what register makes)',
    ]);
  });

  test('plans the other way of a failure that was caught', async () => {
    const found = await plan('caught', [
      call('first', { outcome: 'failed', failure: 'STEP_FAILED', output: undefined }),
      call('other', { input: { n: -1 } }),
      call('second', { input: { score: 0.9 } }),
    ]);
    expect(said(found)).toEqual([
      'first: run (failed: STEP_FAILED)',
      'other: reuse (from old)',
      'second: reuse (from old)',
    ]);
    expect(found.notes).toEqual([expect.stringContaining('What comes after first')]);
  });

  test('goes into child runs, by their own records', async () => {
    const child = { run: 'old.inner', calls: ['first'], count: 1 };
    const calls = [call('inner', { kind: 'pipeline', child }), call('second', { input: { score: 0.9 } })];
    const read = (run: string) => Promise.resolve(recordOf([call('first')], run));
    expect(planSummary(await plan('outer', calls, { read }))).toBe('planned 2, reused 2, run 0, changed 0');
    for (const from of ['inner/first', 'first', 'inner'])
      expect(said(await plan('outer', calls, { read, from: [from] }))).toEqual([
        'inner/first: run (asked for)',
        'second: depends (takes what inner/first makes)',
      ]);
  });

  test('lets no time pass, says what sleeps again, and ends where a pipeline never does', async () => {
    const naps = await plan('naps', []);
    expect(naps.notes).toEqual([
      expect.stringContaining('after first is known only when'),
      'Where the pipeline sleeps, the new run sleeps again: 172800 s in all.',
    ]);
    expect((await plan('endless', [])).notes).toContainEqual(expect.stringContaining('without an end'));
  });

  test('survives a promise that fails before anybody waits for it', async () => {
    const found = await plan('floating', [call('first'), call('never', { kind: 'gate' })]);
    expect(found.notes).toEqual([expect.stringContaining('GATE_FAILED')]);
  });

  test('reads what is large only where it is called, and runs what cannot be read', async () => {
    const { input: _input, output: _output, ...rest } = call('first');
    const calls = [{ ...rest, large: true as const }, ...chained.slice(1)];
    const readLarge = jest.fn(() => Promise.resolve({ input, output }));
    expect(planSummary(await plan('chain', calls, { readLarge }))).toBe(
      'planned 5, reused 5, run 0, changed 0',
    );
    expect(readLarge.mock.calls).toEqual([['old', 'first']]);
  });
});
