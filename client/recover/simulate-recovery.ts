import { isMillraceError } from '../../sdk/errors.js';
import { fromFailureInfo } from '../../sdk/protocol/failure.js';
import type { MadeCall, ReuseDecision } from '../../sdk/recovery/decide-reuse.js';
import { decideReuse, isNamed, namedBelow } from '../../sdk/recovery/decide-reuse.js';
import { createMarks } from '../../sdk/recovery/marks.js';
import type { RecordIndex } from '../../sdk/recovery/record-index.js';
import { recordIndex } from '../../sdk/recovery/record-index.js';
import type { RecordedCall, RecordedRun } from '../../sdk/recovery/recorded-run.js';
import type { StepWork } from '../../sdk/recovery/step-work.js';
import { stepWork } from '../../sdk/recovery/step-work.js';
import type { RunPlan } from '../../sdk/protocol/messages.js';
import type { StepSpec } from '../../sdk/step-spec.js';
import type { VirtualClock } from '../../testing/virtual-clock.js';
import type { VirtualRealms } from '../../testing/virtual-realm.js';
import type { VirtualAnswer, VirtualCall, VirtualGate, VirtualWorld } from '../../testing/virtual-runtime.js';
import { virtualRuntime } from '../../testing/virtual-runtime.js';
import type { PlanRecoveryOptions } from './plan-recovery.js';
import { reasonWords } from './reason-words.js';
import type { PlannedStep } from './recovery-plan.js';

/** One run of the tree. */
export type Level = {
  /** Before each path: `score/`. */
  readonly prefix: string;
  readonly run: string;
  /** What the former run left; nothing of a child that was never called. */
  readonly records: RecordIndex;
  readonly gates: ReadonlySet<string>;
  readonly from: readonly string[];
  /** All of it runs anew. */
  readonly asked: boolean;
  ended: { readonly error?: unknown } | undefined;
};

/** A call that runs anew: what it gives is not known. */
type Waiting = {
  readonly label: string;
  readonly record: RecordedCall | undefined;
  readonly action: PlannedStep['action'];
  readonly answer: (answer: VirtualAnswer) => void;
  /** `--from` has it run, or something it takes. */
  readonly forced: boolean;
};

/** What was seen of the recovery. */
export type Seen = {
  readonly steps: readonly PlannedStep[];
  readonly levels: readonly Level[];
  /** Labels of what was taken to give what it gave before. */
  readonly granted: readonly string[];
  /** Labels of calls that nothing is known of. */
  readonly waiting: readonly string[];
  readonly sleptMs: number;
};

export interface Simulation {
  /** Runs a pipeline's function; its end is in the level. */
  run(level: Level, pipeline: string, input: unknown): Promise<unknown>;
  /** Lets what waits give what it gave in the former run. @returns false when there is nothing more to assume */
  assume(): boolean;
  seen(): Seen;
}

type Parts = { readonly clock: VirtualClock; readonly realms: VirtualRealms };

/** The pipeline function, answered from the recorded results of a run. What runs anew has no answer until it is assumed. */
export function simulateRecovery(options: PlanRecoveryOptions, { clock, realms }: Parts): Simulation {
  const specs = new Map(options.specs.map((spec) => [spec.name, spec]));
  /** Outputs that were only taken for granted, and of them those that `--from` is after. */
  const assumed = createMarks({ known: options.input });
  const forced = createMarks();
  const steps: PlannedStep[] = [];
  const levels: Level[] = [];
  let waiting: Waiting[] = [];
  const granted: string[] = [];
  let sleptMs = 0;

  async function run(level: Level, pipeline: string, input: unknown): Promise<unknown> {
    levels.push(level);
    const world: VirtualWorld = {
      answer: (call) => (call.kind === 'pipeline' ? child(level, call) : answer(level, call)),
      judged: (gate) => judged(level, gate),
      slept: (ms) => void (sleptMs += ms),
    };
    const info = { run: level.run, pipeline, tags: options.tags };
    try {
      const output = await realms.run(pipeline, input, virtualRuntime({ info, clock, world }));
      level.ended = {};
      return output;
    } catch (error) {
      level.ended = { error };
      throw error;
    }
  }

  async function child(level: Level, call: VirtualCall): Promise<VirtualAnswer> {
    const { path, name, kind, input } = call;
    const record = await level.records.match({ path, name, kind, input });
    const former = record?.path ?? path;
    const asked = level.asked || isNamed(level.from, { path: former, name });
    const known = record?.child;
    const recorded = known ? await clock.during(options.read(known.run)) : nothing;
    const below: Level = {
      ...levelOf(recorded, options.readLarge),
      prefix: `${level.prefix}${path}/`,
      run: `${level.run}.${path}`,
      from: namedBelow(level.from, former),
      asked,
      ended: undefined,
    };
    return run(below, name, input).then(
      (gives) => ({ gives }),
      (throws: unknown) => ({ throws }),
    );
  }

  async function answer(level: Level, call: VirtualCall): Promise<VirtualAnswer> {
    const made = madeCall(call, specs.get(call.name), options.plan);
    const record = await clock.during(level.records.match(made));
    const work = record && level.records.workOf(record);
    const decision = decideReuse(made, {
      record,
      work,
      asked: level.asked || isNamed(level.from, { path: record?.path ?? call.path, name: call.name }),
      follows: forced.in(made.input),
    });
    const on = assumed.in(made.input);
    const label = `${level.prefix}${call.path}`;
    const base = { path: label, name: call.name, kind: call.kind };
    if ('reuse' in decision && on.length === 0) {
      const { maker, output } = decision.reuse;
      steps.push({ ...base, action: 'reuse', why: `from ${maker.run}`, from: maker });
      return { gives: output };
    }
    const place = steps.push({ ...base, action: 'run', why: '' }) - 1;
    const step = await planned(decision, { base, on, made, record, work });
    steps[place] = step;
    const isForced = 'run' in decision && ['asked', 'follows'].includes(decision.run.kind);
    return new Promise((resolve) =>
      waiting.push({ label, record, action: step.action, answer: resolve, forced: isForced }),
    );
  }

  async function planned(
    decision: ReuseDecision,
    { base, on, ...compared }: Comparing,
  ): Promise<PlannedStep> {
    if ('reuse' in decision || decision.run.kind === 'follows') {
      const paths = 'reuse' in decision || on.length > 0 ? on : forced.in(compared.made.input);
      return { ...base, action: 'depends', on: paths, why: `takes what ${paths.join(', ')} makes` };
    }
    const { store } = options;
    const why = await clock.during(reasonWords(decision.run, { ...compared, store }));
    return { ...base, action: 'run', why, reason: decision.run };
  }

  function judged(
    level: Level,
    { path, name, outcome, evidence, throws }: VirtualGate,
  ): Promise<void> | void {
    level.records.claim(path);
    const base = { path: `${level.prefix}${path}`, name, kind: 'gate' } as const;
    const on = assumed.in([outcome.checks, evidence]);
    // Numbers may have been reckoned with on the way: one that fails on what was only taken for granted says nothing.
    const open = throws && granted.length > 0;
    if (on.length > 0 || open)
      steps.push({
        ...base,
        action: 'depends',
        on: on.length > 0 ? on : granted,
        why: 'is judged on what they give',
      });
    else if (level.gates.has(path))
      steps.push({ ...base, action: 'reuse', why: `judged again: ${outcome.outcome}` });
    else
      steps.push({
        ...base,
        action: 'run',
        why: `never judged; now: ${outcome.outcome}`,
        reason: { kind: 'new' },
      });
    return open ? new Promise(() => undefined) : undefined;
  }

  function assume(): boolean {
    const known = waiting.filter(({ record }) => record?.output !== undefined);
    for (const { label, record, action, answer: give, forced: isForced } of known) {
      if (action === 'run') granted.push(label);
      assumed.add(record?.output, label);
      if (isForced) forced.add(record?.output, label);
      give({ gives: record?.output });
    }
    if (known.length > 0) {
      waiting = waiting.filter((each) => !known.includes(each));
      return true;
    }
    // An author may have caught a failure and gone on: what was called after it is seen if it fails again.
    const failed = waiting.find(({ record }) => record?.outcome === 'failed');
    if (!failed || unreached(levels).length === 0) return false;
    granted.push(failed.label);
    waiting = waiting.filter((each) => each !== failed);
    const { failure = 'STEP_FAILED' } = failed.record ?? {};
    failed.answer({ throws: fromFailureInfo({ code: failure, what: 'It failed before.' }) });
    return true;
  }

  return {
    run: (level: Level, pipeline: string, input: unknown) =>
      run(level, pipeline, input).catch(() => undefined),
    assume,
    seen: () => ({ steps, levels, granted, sleptMs, waiting: waiting.map(({ label }) => label) }),
  };
}

type Comparing = {
  readonly base: Pick<PlannedStep, 'path' | 'name' | 'kind'>;
  readonly on: readonly string[];
  readonly made: MadeCall;
  readonly record: RecordedCall | undefined;
  readonly work: StepWork | undefined;
};

/** Calls of the former runs that were not made. */
export const unreached = (
  levels: readonly Level[],
): readonly { readonly level: Level; readonly call: RecordedCall }[] =>
  levels.flatMap((level) => level.records.left().map((call) => ({ level, call })));

/** What a run left, to be found by the calls of the new one. What cannot be read any more cannot be reused. */
export function levelOf(
  recorded: RecordedRun,
  readLarge: PlanRecoveryOptions['readLarge'],
): Pick<Level, 'records' | 'gates'> {
  const read = (path: string) =>
    readLarge(recorded.run, path).catch((error: unknown) => {
      if (isMillraceError(error)) return undefined;
      throw error;
    });
  const gates = recorded.calls.filter(({ kind }) => kind === 'gate').map(({ path }) => path);
  return { records: recordIndex(recorded, read), gates: new Set(gates) };
}

const nothing: RecordedRun = { run: '', works: {}, calls: [] };

/** A call as a run on Temporal describes it. */
function madeCall(call: VirtualCall, spec: StepSpec | undefined, plan: RunPlan | undefined): MadeCall {
  const { path, name, kind } = call;
  if (call.kind !== 'promote')
    return {
      path,
      name,
      kind,
      input: call.input,
      ...(kind === 'step' && spec && { work: stepWork(spec, plan) }),
    };
  const { version, alias } = call.input;
  return { path, name, kind, input: { name: version.name, version: version.version, alias } };
}
