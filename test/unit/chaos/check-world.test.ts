import { checkWorld } from '../../chaos/check-world.js';
import { containerSteps, expectedLines, expectedRun } from '../../chaos/expected.js';
import type { Finding } from '../../chaos/finding.js';
import type { PlannedRun } from '../../chaos/plan.js';
import type { AttemptFacts, RunFacts, StepFacts, World } from '../../chaos/world.js';

const planned: readonly PlannedRun[] = [1, 2].map((number) => ({
  id: `chaos-${number}`,
  afterMs: 0,
  input: { number, shards: [`${number} 10`, `${number} 20`, `${number} 30`], ticks: 4, gobble: number === 2 },
}));

/** A world in which everything is as it must be. */
const goodWorld = (): World => ({
  planned,
  runs: planned.map(goodRun),
  versions: planned.map(({ id, input }, index) => ({ version: index + 1, run: id, model: expectedRun(input).model })), // prettier-ignore
  changes: planned.map(({ id }, index) => ({ run: id, version: index + 1 })),
  containers: planned.flatMap(({ id, input }) =>
    containerSteps(input).flatMap((step) =>
      goodAttempts(step, input).map(({ attempt }) => ({
        id: `${id} ${step} ${attempt}`,
        host: 'host-0',
        run: id,
        step,
        attempt,
        ...timeOf(attempt),
      })),
    ),
  ),
  outages: [],
  absences: [],
  leftovers: [],
  secret: 'hidden',
});

const timeOf = (attempt: number) => ({ from: attempt * 10_000, until: attempt * 10_000 + 3_000 });

const goodRun = ({ id, input }: PlannedRun): RunFacts => ({
  id,
  catalog: 'completed',
  temporal: 'completed',
  output: { number: input.number, total: expectedRun(input).total, version: input.number },
  failure: undefined,
  steps: [
    ...containerSteps(input).map((path): StepFacts => ({ path, kind: 'step', status: 'completed', attempts: goodAttempts(path, input) })), // prettier-ignore
    { path: 'total', kind: 'gate', status: 'completed', attempts: [] },
  ],
  activities: containerSteps(input),
});

function goodAttempts(step: string, input: PlannedRun['input']): readonly AttemptFacts[] {
  const lines = (attempt: number) => expectedLines({ step, attempt, from: 0 }, input);
  const first: AttemptFacts = {
    attempt: 1,
    status: 'failed',
    end: 'by design',
    time: timeOf(1),
    lines: lines(1),
  };
  if (step === 'verify' || (step === 'join' && input.gobble))
    return [first, { attempt: 2, status: 'completed', end: 'otherwise', time: timeOf(2), lines: lines(2) }];
  return [{ attempt: 1, status: 'completed', end: 'otherwise', time: timeOf(1), lines: lines(1) }];
}

/** The same world with one run otherwise. */
const withRun = (change: (run: RunFacts) => RunFacts): World => {
  const world = goodWorld();
  return { ...world, runs: world.runs.map((run) => (run.id === 'chaos-1' ? change(run) : run)) };
};

/** The same world with one attempt otherwise, or with other attempts in its place. */
const withAttempts = (
  path: string,
  change: (attempts: readonly AttemptFacts[]) => readonly AttemptFacts[],
): World =>
  withRun((run) => ({
    ...run,
    steps: run.steps.map((step) => (step.path === path ? { ...step, attempts: change(step.attempts) } : step)), // prettier-ignore
  }));

const found = (world: World) => checkWorld(world).map(({ kind, text }: Finding) => `${kind}: ${text}`);

describe('the checks of the chaos suite', () => {
  test('find nothing where all is well', () => {
    expect(found(goodWorld())).toEqual([]);
  });

  test('let an attempt that was ended from outside have said any part of its words', () => {
    const world = withAttempts('shard', ([whole]) => [
      { attempt: 1, status: 'lost', end: 'otherwise', time: timeOf(1), lines: whole!.lines.slice(0, 3) },
      {
        attempt: 2,
        status: 'completed',
        end: 'otherwise',
        time: timeOf(2),
        lines: expectedLines({ step: 'shard', attempt: 2, from: 1 }, planned[0]!.input),
      },
    ]);
    expect(found(world)).toEqual([]);
  });

  test('let a log end early where the engine was away at the end of its container, and only there', () => {
    const world = withAttempts('shard', ([whole]) => [{ ...whole!, lines: whole!.lines.slice(0, 3) }]);
    const away = { from: 12_000, until: 14_000 };
    expect(found({ ...world, outages: [away] })).toEqual([]);
    const before = { from: 5_000, until: 9_000 };
    expect(found({ ...world, outages: [before] })).toEqual([expect.stringContaining('ends after 3 of 7')]);
    // It was seen to run afterwards: the engine takes what it prints.
    const within = { from: 11_000, until: 12_000 };
    expect(found({ ...world, outages: [within] })).toEqual([expect.stringContaining('ends after 3 of 7')]);
  });

  test('let a host that was given up run what another goes on with, until its worker is back and has swept', () => {
    const world = withAttempts('shard', ([whole]) => [
      { ...whole!, status: 'lost', end: 'otherwise' },
      { ...whole!, attempt: 2, time: timeOf(2) },
    ]);
    const [first, ...others] = world.containers;
    const stale = (until: number, absences: World['absences']) =>
      found({
        ...world,
        absences,
        containers: [
          { ...first!, until },
          { ...first!, id: 'next', host: 'host-1', attempt: 2, ...timeOf(2) },
          ...others,
        ],
      });
    expect(stale(50_000, [])).toEqual([]);
    const ranOn = 'doubled: chaos-1: shard ran attempts 1 and 2 at once, for 3000 ms';
    expect(stale(90_000, [])).toEqual([ranOn]);
    expect(stale(90_000, [{ host: 'host-0', from: 11_000, until: 80_000 }])).toEqual([]);
    expect(stale(90_000, [{ host: 'host-1', from: 11_000, until: 80_000 }])).toEqual([ranOn]);
    expect(stale(90_000, [{ host: 'host-0', from: 30_000, until: 80_000 }])).toEqual([ranOn]);
  });

  test.each<[string, World, string]>([
    [
      'a run that nobody knows',
      { ...goodWorld(), runs: goodWorld().runs.slice(1) },
      'incomplete: chaos-1 is nowhere',
    ],
    [
      'a run that failed',
      withRun((run) => ({ ...run, catalog: 'failed', temporal: 'failed', failure: 'STEP_FAILED: no' })),
      'incomplete: chaos-1: catalog failed, Temporal failed: STEP_FAILED: no',
    ],
    [
      'a run that Temporal has completed and the catalog has not',
      withRun((run) => ({ ...run, catalog: 'running' })),
      'untrue state: chaos-1: the catalog says running, Temporal says completed',
    ],
    [
      'a wrong result',
      withRun((run) => ({ ...run, output: { number: 1, total: 5, version: 1 } })),
      'wrong result: chaos-1: result is {"number":1,"total":5,"version":1}, not {"number":1,"total":372,"version":1}',
    ],
    [
      'a model that another run made',
      {
        ...goodWorld(),
        versions: goodWorld().versions.map((each) => ({ ...each, model: expectedRun(planned[1]!.input).model })), // prettier-ignore
      },
      'wrong result: chaos-1: model of version 1 is',
    ],
    [
      'a version that is there twice',
      { ...goodWorld(), versions: [...goodWorld().versions, { ...goodWorld().versions[0]!, version: 3 }] },
      'doubled: chaos-1 registered 2 versions',
    ],
    [
      'a gap in the versions',
      {
        ...goodWorld(),
        versions: goodWorld().versions.map((each) => ({ ...each, version: each.version * 2 })),
      },
      'doubled: version 2 stands where 1 should',
    ],
    [
      'an alias that was moved twice',
      { ...goodWorld(), changes: [...goodWorld().changes, goodWorld().changes[0]!] },
      'doubled: chaos-1 moved the alias 2 times',
    ],
    [
      'a promotion that was lost',
      { ...goodWorld(), changes: goodWorld().changes.slice(1) },
      'doubled: chaos-1 moved the alias 0 times',
    ],
    [
      "an alias on another run's version",
      { ...goodWorld(), changes: goodWorld().changes.map((change) => ({ ...change, version: 2 })) },
      'doubled: chaos-1 moved the alias to version 2, which is not its own',
    ],
    [
      'a version of a run that nobody started',
      { ...goodWorld(), versions: [...goodWorld().versions, { version: 3, run: 'ghost', model: 'x' }] },
      'doubled: ghost, which nobody started, left a version or an alias',
    ],
    [
      'a step that was committed twice',
      withAttempts('shard', ([whole]) => [whole!, { ...whole!, attempt: 2 }]),
      'doubled: chaos-1: shard has 2 completed attempts',
    ],
    [
      'a step that was never committed',
      withAttempts('join', () => []),
      'untrue state: chaos-1: join has no completed attempt',
    ],
    [
      'two containers for one attempt',
      {
        ...goodWorld(),
        containers: [...goodWorld().containers, { ...goodWorld().containers[0]!, id: 'x', from: 90_000, until: 91_000 }],
      }, // prettier-ignore
      'doubled: chaos-1: shard had two containers for attempt 1',
    ],
    [
      'two attempts of a step at once',
      {
        ...goodWorld(),
        containers: [...goodWorld().containers, { ...goodWorld().containers[0]!, id: 'x', attempt: 2 }],
      },
      'doubled: chaos-1: shard ran attempts 1 and 2 at once, for 3000 ms',
    ],
    ['a leftover', { ...goodWorld(), leftovers: ['container abc'] }, 'orphan: container abc is still there'],
    [
      'a step that is open in a closed run',
      withRun((run) => ({ ...run, steps: [...run.steps, { path: 'x', kind: 'gate', status: 'waiting', attempts: [] }] })), // prettier-ignore
      'untrue state: chaos-1: x is waiting though the run is over',
    ],
    [
      'an attempt that is open in a closed run',
      withAttempts('verify', ([first, second]) => [{ ...first!, status: 'running' }, second!]),
      'untrue state: chaos-1: verify attempt 1 is running though the run is over',
    ],
    [
      'a step that only Temporal saw complete',
      withRun((run) => ({ ...run, activities: [...run.activities, 'other'] })),
      'untrue state: chaos-1: other completed, says only Temporal',
    ],
    [
      'a step that only the catalog has complete',
      withRun((run) => ({ ...run, activities: run.activities.slice(1) })),
      'untrue state: chaos-1: shard completed, says only the catalog',
    ],
    [
      'a log that is gone',
      withAttempts('shard', ([whole]) => [{ ...whole!, lines: [] }]),
      'lost log: chaos-1: shard attempt 1 (completed): its log is empty',
    ],
    [
      'a log that is gone of an attempt that was lost after a while',
      withAttempts('shard', ([whole]) => [
        { ...whole!, status: 'lost', lines: [] },
        { ...whole!, attempt: 2 },
      ]),
      'lost log: chaos-1: shard attempt 1 (lost): its log is empty though it ran for 3000 ms',
    ],
    [
      'the end of a log that is gone',
      withAttempts('shard', ([whole]) => [{ ...whole!, lines: whole!.lines.slice(0, -1) }]),
      'lost log: chaos-1: shard attempt 1 (completed): its log ends after 6 of 7 lines',
    ],
    [
      'the end of a log that is gone, of an attempt that failed by itself',
      withAttempts('verify', ([first, second]) => [{ ...first!, lines: first!.lines.slice(0, 1) }, second!]),
      'lost log: chaos-1: verify attempt 1 (failed): its log ends after 1 of 2 lines',
    ],
    [
      'the beginning of a log that is gone',
      withAttempts('shard', ([whole]) => [{ ...whole!, lines: whole!.lines.slice(1) }]),
      'lost log: chaos-1: shard attempt 1 (completed): its log begins with "token ***"',
    ],
    [
      'a line that is there twice',
      withAttempts('shard', ([whole]) => [{ ...whole!, lines: whole!.lines.toSpliced(3, 0, 'tick 1 1') }]),
      'lost log: chaos-1: shard attempt 1 (completed): line 4 is "tick 1 1", expected "tick 2 21"',
    ],
    [
      'a line too much at the end',
      withAttempts('shard', ([whole]) => [{ ...whole!, lines: [...whole!.lines, 'more'] }]),
      'lost log: chaos-1: shard attempt 1 (completed): line 8 is "more", expected nothing',
    ],
    [
      'a container that no attempt stands for',
      {
        ...goodWorld(),
        containers: [...goodWorld().containers, { ...goodWorld().containers[0]!, id: 'x', attempt: 9, from: 90_000, until: 91_000 }],
      }, // prettier-ignore
      'lost log: chaos-1: the container of shard attempt 9 is in no record',
    ],
    [
      'a secret in a log',
      withAttempts('shard', ([whole]) => [{ ...whole!, lines: whole!.lines.with(1, 'token hidden') }]),
      'secret shown: chaos-1: shard attempt 1 (completed): token hidden',
    ],
  ])('find %s', (_what, world, text) => {
    expect(found(world).join('\n')).toContain(text);
  });
});
