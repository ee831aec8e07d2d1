import type { Bytes } from './bytes.js';
import { bytes } from './bytes.js';
import type { Duration } from './duration.js';
import { durationMs } from './duration.js';
import { DefinitionInvalid } from './errors.js';
import type { FailureKind } from './failure-kind.js';

/** How often, and after what wait, a step is tried again. */
export type KindPolicy = {
  /** Attempts that may end so before the step fails. */
  readonly attempts?: number;
  /** Wait before the next attempt. Default 1s. */
  readonly initialInterval?: Duration;
  /** Factor between waits. Default 2. */
  readonly backoff?: number;
  /** Longest wait. Default 1 minute, or the initial interval where that is longer. */
  readonly maximumInterval?: Duration;
  /** Share of each wait that is drawn at random, 0 to 1, so that steps that failed together do not come back together. Default 0.2. */
  readonly jitter?: number;
};

export type OutOfMemoryPolicy = KindPolicy & {
  /** How the next attempt's memory follows from this one's: `'x2'`, `'x1.5'`. */
  readonly memory?: `x${number}`;
  /** Never more than this. An attempt that had it is not tried again. Required with `memory`. */
  readonly max?: Bytes;
};

/**
 * When a step is tried again. `attempts` counts failures of the author's code: its errors, time limits and memory, but for
 * kinds that have a policy of their own here. Lost workers, preemption and broken infrastructure never use them up.
 */
export type RetryPolicy = KindPolicy & {
  /** Attempts in all for failures of the author's code. Default 1 for functions and commands alike: no retry unless asked. */
  readonly attempts?: number;
  /** Exit codes that no other attempt would cure. Default none beside those of the step contract. */
  readonly finalExitCodes?: readonly number[];
  /** Default: counted by `attempts`, with the same memory. With `memory`: until `max` was not enough either. */
  readonly onOutOfMemory?: OutOfMemoryPolicy;
  /** Time limit of an attempt, or of waiting for a worker. Default: counted by `attempts`. */
  readonly onTimeout?: KindPolicy;
  /** Stopped from outside. Default 20 attempts in a row. */
  readonly onPreempted?: KindPolicy;
  /** Default 20 attempts in a row, the first at once. */
  readonly onWorkerLost?: KindPolicy;
  /** Docker, store, catalog or Temporal down. Default 20 attempts in a row, waits up to 20s. */
  readonly onInfrastructure?: KindPolicy;
};

export type KindSpec = {
  readonly attempts: number;
  readonly initialIntervalMs: number;
  readonly backoff: number;
  readonly maximumIntervalMs: number;
  readonly jitter: number;
};

/** A retry policy as JSON with every default filled in. */
export type RetrySpec = KindSpec & {
  readonly finalExitCodes: readonly number[];
  /** Kinds that are counted by themselves. */
  readonly kinds: Partial<Readonly<Record<FailureKind, KindSpec>>>;
  /** Bytes; undefined where memory stays as it is. */
  readonly moreMemory: { readonly factor: number; readonly max: number } | undefined;
};

/** @throws DefinitionInvalid naming the option that is wrong */
export function retrySpec(step: string, policy: RetryPolicy): RetrySpec {
  const {
    finalExitCodes = [],
    onOutOfMemory,
    onTimeout,
    onPreempted,
    onWorkerLost,
    onInfrastructure,
    ...own
  } = policy;
  const base = kindSpec(step, 'retry', own, { ...defaults, attempts: 1 });
  const codes = finalExitCodes.find((code) => !Number.isInteger(code) || code < 1 || code > 255);
  refuse(codes !== undefined, step, `has the final exit code ${codes}`, 'Give numbers from 1 to 255.');
  const moreMemory = onOutOfMemory && memoryGrowth(step, onOutOfMemory);
  const kind = (name: string, given: KindPolicy | undefined, basis: KindSpec) =>
    given && kindSpec(step, `retry.${name}`, given, basis);
  const kinds = {
    out_of_memory: kind('onOutOfMemory', withoutMemory(onOutOfMemory), {
      ...base,
      attempts: moreMemory ? mostGrowths : base.attempts,
    }),
    timeout: kind('onTimeout', onTimeout, base),
    preempted: kind('onPreempted', onPreempted ?? {}, infrastructure),
    worker_lost: kind('onWorkerLost', onWorkerLost ?? {}, infrastructure),
    infrastructure: kind('onInfrastructure', onInfrastructure ?? {}, infrastructure),
  };
  return {
    ...base,
    finalExitCodes,
    kinds: Object.fromEntries(Object.entries(kinds).filter(([, each]) => each !== undefined)),
    moreMemory,
  };
}

const defaults = { initialIntervalMs: 1_000, backoff: 2, maximumIntervalMs: 60_000, jitter: 0.2 };
const infrastructure: KindSpec = { ...defaults, attempts: 20, maximumIntervalMs: 20_000 };
/** `max` ends it long before. */
const mostGrowths = 20;

const kindOptions: readonly string[] = [
  'attempts',
  'initialInterval',
  'backoff',
  'maximumInterval',
  'jitter',
];
const retryOptions = [
  ...kindOptions, 'finalExitCodes', 'onOutOfMemory', 'onTimeout', 'onPreempted', 'onWorkerLost', 'onInfrastructure',
]; // prettier-ignore

function kindSpec(step: string, option: string, given: KindPolicy, basis: KindSpec): KindSpec {
  const unknown = Object.keys(given).find((name) => !kindOptions.includes(name));
  const known = option === 'retry' ? retryOptions : kindOptions;
  refuse(
    unknown !== undefined,
    step,
    `has the unknown option \`${option}.${unknown}\``,
    `Its options: ${known.join(', ')}.`,
  );
  const where = (name: string) => `${option}.${name}\` of step \`${step}`;
  const { attempts = basis.attempts, backoff = basis.backoff, jitter = basis.jitter } = given;
  refuse(
    !Number.isInteger(attempts) || attempts < 1,
    step,
    `has ${option}.attempts ${attempts}`,
    'Give a whole number from 1.',
  );
  refuse(
    !(backoff >= 1 && Number.isFinite(backoff)),
    step,
    `has ${option}.backoff ${backoff}`,
    'Give a number from 1.',
  );
  refuse(!(jitter >= 0 && jitter <= 1), step, `has ${option}.jitter ${jitter}`, 'Give a number from 0 to 1.');
  const initialIntervalMs =
    given.initialInterval === undefined
      ? basis.initialIntervalMs
      : durationMs(given.initialInterval, where('initialInterval'));
  const maximumIntervalMs =
    given.maximumInterval === undefined
      ? Math.max(basis.maximumIntervalMs, initialIntervalMs)
      : durationMs(given.maximumInterval, where('maximumInterval'));
  refuse(
    maximumIntervalMs < initialIntervalMs,
    step,
    `has a ${option}.maximumInterval of ${maximumIntervalMs} ms, less than its ${option}.initialInterval of ${initialIntervalMs} ms`,
    'Raise the one or lower the other.',
  );
  return { attempts, initialIntervalMs, backoff, maximumIntervalMs, jitter };
}

function withoutMemory(given: OutOfMemoryPolicy | undefined): KindPolicy | undefined {
  if (!given) return undefined;
  const { memory: _memory, max: _max, ...kind } = given;
  return kind;
}

function memoryGrowth(step: string, { memory, max }: OutOfMemoryPolicy): RetrySpec['moreMemory'] {
  if (memory === undefined && max === undefined) return undefined;
  const factor = Number(/^x(\d+(?:\.\d+)?)$/.exec(memory ?? '')?.[1]);
  refuse(
    !(factor > 1),
    step,
    `has retry.onOutOfMemory.memory ${JSON.stringify(memory)}`,
    "Give a factor above 1, such as 'x2'.",
  );
  if (max === undefined)
    throw new DefinitionInvalid(`Step \`${step}\` has retry.onOutOfMemory.memory without a \`max\`.`, {
      hint: "Say how far it may grow: `max: '32GiB'`.",
    });
  return { factor, max: bytes(max, `retry.onOutOfMemory.max\` of step \`${step}`) };
}

function refuse(wrong: boolean, step: string, what: string, hint: string): void {
  if (wrong) throw new DefinitionInvalid(`Step \`${step}\` ${what}.`, { hint });
}
