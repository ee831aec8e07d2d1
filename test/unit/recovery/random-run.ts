import { createHash } from 'node:crypto';
import { fromFailureInfo } from '../../../sdk/protocol/failure.js';
import { inputKey } from '../../../sdk/recovery/input-key.js';
import type { RecordedCall, RecordedRun } from '../../../sdk/recovery/recorded-run.js';
import type { StepWork } from '../../../sdk/recovery/step-work.js';
import type { PipelineRuntime } from '../../../sdk/runtime.js';
import { createVirtualClock } from '../../../testing/virtual-clock.js';
import type { VirtualAnswer, VirtualCall } from '../../../testing/virtual-runtime.js';
import { virtualRuntime } from '../../../testing/virtual-runtime.js';
import { reusedResults } from '../../../workflows/reused-results.js';

/** A step of a random pipeline: its name, a constant in its input, and which earlier results of its branch it takes. */
export type Op = { readonly name: string; readonly constant: number; readonly takes: readonly number[] };
/** Branches run side by side; afterwards one branch takes the last results of all. */
export type Program = { readonly branches: readonly (readonly Op[])[]; readonly after: readonly Op[] };

/** Everything outside the pipeline that may change between two runs. */
export type World = {
  /** By step name. */
  readonly versions: Readonly<Record<string, number>>;
  /** Identities of work that fails. */
  readonly failing: ReadonlySet<string>;
  /** How long a call takes, ms: what decides in which order parallel calls are made. */
  readonly lasts: (identity: string) => number;
};

export const workOf = (name: string, { versions }: Pick<World, 'versions'>): StepWork => ({
  step: name,
  version: String(versions[name] ?? 0),
  executor: 'process',
  env: {},
  secrets: [],
  network: false,
  gpus: 0,
});

/** What a step gives tells whose result it is: nothing but the same work on the same input makes it. */
export const identityOf = (name: string, input: unknown, world: Pick<World, 'versions'>): string =>
  createHash('sha256')
    .update(`${name} ${world.versions[name] ?? 0} ${inputKey(input)}`)
    .digest('hex')
    .slice(0, 16);

export type Ended = {
  readonly record: RecordedRun;
  readonly failed: boolean;
  /** Identities of what really ran, in order. */
  readonly ran: readonly string[];
  /** What each call was given, beside what it should be given. */
  readonly given: readonly { readonly expected: string; readonly got: unknown }[];
};

export type RecoverOf = { readonly former: RecordedRun; readonly from: readonly string[] };

/** Runs a program under a virtual clock: on its own, or as the recovery of a former run. */
export async function runProgram(program: Program, world: World, recover?: RecoverOf): Promise<Ended> {
  const clock = createVirtualClock({ start: 0 });
  const calls = new Map<string, RecordedCall>();
  const ran: string[] = [];
  const given: Ended['given'][number][] = [];
  let over = false;
  const reuse =
    recover &&
    reusedResults(
      { from: recover.from },
      {
        read: () => Promise.resolve(recover.former),
        readLarge: () => Promise.resolve(undefined),
        record: () => Promise.resolve(),
      },
    );

  async function answer({ path, name, input }: VirtualCall): Promise<VirtualAnswer> {
    const identity = identityOf(name, input, world);
    const base = { path, name, kind: 'step', input, maker: { run: 'run', path } } as const;
    calls.set(path, { ...base, outcome: 'unfinished' });
    const work = workOf(name, world);
    const taken = await reuse?.take({ path, name, kind: 'step', input, work, scheduledAt: '' });
    if (taken) {
      given.push({ expected: identity, got: (taken.value as { readonly made: unknown }).made });
      calls.set(path, { ...base, outcome: 'completed', output: taken.value });
      return { gives: taken.value };
    }
    ran.push(identity);
    await clock.sleep(world.lasts(identity));
    if (over) return new Promise(() => undefined);
    if (world.failing.has(identity)) {
      calls.set(path, { ...base, outcome: 'failed', failure: 'STEP_FAILED' });
      return { throws: fromFailureInfo({ code: 'STEP_FAILED', what: 'It failed.' }) };
    }
    const output = { made: identity };
    reuse?.made(path, output);
    given.push({ expected: identity, got: output.made });
    calls.set(path, { ...base, outcome: 'completed', output });
    return { gives: output };
  }

  const info = { run: 'run', pipeline: 'random', tags: {} };
  let failed = false;
  const running = body(program, virtualRuntime({ info, clock, world: { answer } })).then(
    () => (over = true),
    () => (failed = over = true),
  );
  await clock.untilQuiet();
  await running;
  const works = Object.fromEntries(names(program).map((name) => [name, workOf(name, world)]));
  return { record: { run: 'run', works, calls: [...calls.values()] }, failed, ran, given };
}

export const names = ({ branches, after }: Program): readonly string[] => [
  ...new Set([...branches.flat(), ...after].map(({ name }) => name)),
];

async function body({ branches, after }: Program, runtime: PipelineRuntime): Promise<void> {
  const branch = async (ops: readonly Op[], first: readonly unknown[]): Promise<unknown> => {
    const made: unknown[] = [...first];
    for (const { name, constant, takes } of ops) {
      const inputs = takes.flatMap((back) => made.at(-1 - back) ?? []);
      made.push(await runtime.step(name, { constant, inputs }));
    }
    return made.at(-1);
  };
  const ends = await Promise.all(branches.map((ops) => branch(ops, [])));
  await branch(after, ends);
}

/** All work that a run of the program does when nothing fails, each as often as it does it. */
export function allWork(
  program: Program,
  world: World,
): readonly { readonly name: string; readonly identity: string }[] {
  const found: { readonly name: string; readonly identity: string }[] = [];
  const branch = (ops: readonly Op[], first: readonly unknown[]): unknown => {
    const made: unknown[] = [...first];
    for (const { name, constant, takes } of ops) {
      const inputs = takes.flatMap((back) => made.at(-1 - back) ?? []);
      const identity = identityOf(name, { constant, inputs }, world);
      found.push({ name, identity });
      made.push({ made: identity });
    }
    return made.at(-1);
  };
  const ends = program.branches.map((ops) => branch(ops, []));
  branch(program.after, ends);
  return found;
}
