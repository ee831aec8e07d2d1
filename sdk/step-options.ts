import type { z } from 'zod';
import type { Bytes } from './bytes.js';
import type { Duration } from './duration.js';
import type { OnFailure } from './failure-policy.js';
import type { ImageSpec } from './image.js';
import type { RetryPolicy } from './retry-policy.js';
import type { StepTimeouts } from './step-timeouts.js';

/** What a step may use. A worker starts it only when it has that much free. */
export type Resources = {
  /** CPUs, fractions allowed. Default 1. */
  readonly cpus?: number;
  /** Memory. Default 1GiB. Going over it ends the attempt with OUT_OF_MEMORY. */
  readonly memory?: Bytes;
  /** GPUs, handed to the container as a device request. Default 0. */
  readonly gpus?: number;
  /** Size of /dev/shm. Default 64MiB. */
  readonly shm?: Bytes;
  /** Processes and threads at once. Default 4096. */
  readonly pids?: number;
  /** Bytes of workspace, writable layer and log together. Default 10GiB. Going over it ends the attempt with DISK_LIMIT. */
  readonly disk?: Bytes;
};

/** `none`: inside the worker, for trusted code that yields to the event loop. */
export const isolations = ['container', 'process', 'none'] as const;
export type Isolation = (typeof isolations)[number];

export type SecretUse =
  | string
  | {
      readonly name: string;
      /** Also as an environment variable. Default false: a file only. */ readonly env?: boolean;
    };

/** Who shares cached results: all who use the catalog, runs of one queue, or runs of one pipeline. */
export const cacheScopes = ['catalog', 'queue', 'pipeline'] as const;
export type CacheScope = (typeof cacheScopes)[number];

export type CacheOptions = {
  /** A result older than this is computed anew. Default: none is too old. */
  readonly ttl?: Duration;
  /** Part of the content key: another text lets go of every earlier result. */
  readonly version?: string;
  /** Default `catalog`. */
  readonly scope?: CacheScope;
};

export type CheckpointOptions = {
  /** How often `checkpoint/` is looked at while the step runs. Default 30s, at least 1s. Large ones are stored more seldom. */
  readonly every?: Duration;
  /** One that is larger is not stored, with a warning, and is then found again on its own host only. Default 10GiB. */
  readonly maximum?: Bytes;
};

type CommonOptions<I extends z.ZodObject, O extends z.ZodObject> = {
  /** Unique in the project: letters, digits, `-`, `_`. */
  readonly name: string;
  readonly input: I;
  /** Artifacts are top-level fields; every other field is JSON. */
  readonly output: O;
  /** Declared environment: all a step gets beside the contract's own names. Values are not secret. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names of secrets, resolved by the worker; given as files in the folder `secrets/` of the step contract. */
  readonly secrets?: readonly SecretUse[];
  readonly resources?: Resources;
  /** `true` lets the step reach the network. Default false. */
  readonly network?: boolean;
  /** Longest time of one attempt once it runs, or all three limits by name. Default 24 hours for an attempt. */
  readonly timeout?: Duration | StepTimeouts;
  readonly retry?: RetryPolicy;
  /**
   * Time from SIGTERM until the program is killed, when it is cancelled, its time is over or its worker stops it: to save what
   * it has. Default 10 s.
   */
  readonly stopGrace?: Duration;
  /** What becomes of the step when no attempt is left. Default: as its pipeline or run says, else `fail`. */
  readonly onFailure?: OnFailure;
  /** Declared version of what the step does. Part of its identity. */
  readonly version?: string;
  /**
   * Whether a call that could only give what an earlier one gave takes that result instead of running (docs/cache.md).
   * Default: off, or what the configuration says. With `network` only together with a `ttl`; never with `inline`.
   */
  readonly cache?: boolean | CacheOptions;
  /**
   * How what it writes to `checkpoint/` is stored while it runs, so that the next attempt finds it on any host. Default: every
   * 30 s. `false`: the next attempt finds it on the same host only.
   */
  readonly checkpoint?: boolean | CheckpointOptions;
};

export type CommandStepOptions<I extends z.ZodObject, O extends z.ZodObject> = CommonOptions<I, O> & {
  /** A reference or `image(…)` / `image.build(…)`. Without one the step runs as a process on the worker's host. */
  readonly image?: ImageSpec | string;
  /** Folder relative to the steps file: hashed, stored, mounted read-only as the working directory. */
  readonly source?: string;
  /** Program and arguments. `{in.x}`, `{out.x}` become paths, `{input.x}` the value, each within its argument. */
  readonly command: readonly string[];
};

export type FunctionStepOptions<I extends z.ZodObject, O extends z.ZodObject> = CommonOptions<I, O> & {
  /** Node image of `isolation: 'container'`. Default node:22-slim. */
  readonly image?: ImageSpec | string;
  /** Where the function runs. Default `container`. */
  readonly isolation?: Isolation;
  /**
   * Short glue without effects, run as a Temporal local activity in the worker: no task, no server round trip. It may run
   * again after a crash. Excludes `isolation`. Default false.
   */
  readonly inline?: boolean;
};
