import type { z } from 'zod';
import type { ArtifactKind, ArtifactRef, ContentType, Digest } from './artifact.js';
import { artifactKindOf } from './artifact.js';
import type { Bytes } from './bytes.js';
import { bytes } from './bytes.js';
import type { Duration } from './duration.js';
import { checkPlaceholders } from './command-template.js';
import { durationMs } from './duration.js';
import { DefinitionInvalid } from './errors.js';
import type { ImageSpec } from './image.js';
import { image as imageReference } from './image.js';
import { currentRuntime } from './runtime.js';

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

export type RetryPolicy = {
  /** Attempts in all for failures of the author's code. Default 1 for functions and commands alike: no retry unless asked. */
  readonly attempts?: number;
  /** Wait before the second attempt. Default 1s. */
  readonly initialInterval?: Duration;
  /** Factor between waits. Default 2. */
  readonly backoff?: number;
  /** Longest wait. Default 1 minute, or the initial interval where that is longer. */
  readonly maximumInterval?: Duration;
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
  /** Longest time of one attempt once it runs. Default 24 hours. */
  readonly timeout?: Duration;
  readonly retry?: RetryPolicy;
  /** Declared version of what the step does. Part of its identity. */
  readonly version?: string;
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

/** An input artifact as a function step sees it: content placed read-only on its disk. */
export type LocalArtifact<K extends ArtifactKind = ArtifactKind> = ArtifactRef<K> & { readonly path: string };

export type HandlerInput<T> =
  T extends ArtifactRef<infer K>
    ? LocalArtifact<K>
    : T extends readonly (infer U)[]
      ? HandlerInput<U>[]
      : T extends object
        ? { [P in keyof T]: HandlerInput<T[P]> }
        : T;

type ArtifactKeys<T> = { [P in keyof T]-?: NonNullable<T[P]> extends ArtifactRef ? P : never }[keyof T];

/** What a handler returns: every value field; of an artifact field nothing (it wrote `out[name]`) or the path it wrote. */
export type HandlerOutput<T> = Omit<T, ArtifactKeys<T>> & { [P in ArtifactKeys<T>]?: string };

export type StepLog = {
  readonly [L in 'debug' | 'info' | 'warn' | 'error']: (message: string, fields?: object) => void;
};

export type StepContext<O = Record<string, unknown>> = {
  readonly run: string;
  readonly step: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Path to write each artifact output to. */
  readonly out: { readonly [P in ArtifactKeys<O>]: string };
  /** Folder that outlives the attempt. */
  readonly checkpoint: string;
  readonly log: StepLog;
  /** Aborts when the run is cancelled or the attempt times out. */
  readonly signal: AbortSignal;
  /** Records a number of a series, shown live and kept. */
  metric(name: string, value: number, index?: number): void;
  /** Part done, 0 to 1. */
  progress(fraction: number, message?: string): void;
  /** A secret's value. Throws when the step did not declare it. */
  secret(name: string): string;
};

export type StepHandler<I extends z.ZodObject, O extends z.ZodObject> = (
  input: HandlerInput<z.output<I>>,
  context: StepContext<z.output<O>>,
) => Promise<HandlerOutput<z.output<O>>> | HandlerOutput<z.output<O>>;

export type Step<I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> = ((
  input: z.input<I>,
) => Promise<z.output<O>>) & {
  readonly [STEP]: StepDefinition<I, O>;
};

export const STEP = Symbol.for('millrace.step');

/** A step as Node sees it: schemas and code. The workflow side sees only its `StepSpec`. */
export type StepDefinition<I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> = {
  readonly spec: UnresolvedStepSpec;
  readonly input: I;
  readonly output: O;
  readonly handler: StepHandler<I, O> | undefined;
};

export type OutputField = { readonly name: string; readonly kind: ArtifactKind; readonly optional: boolean };

/** All that is recorded of a step, as JSON with every default filled in. */
export type StepSpec = {
  readonly name: string;
  readonly version: string | undefined;
  readonly run: 'command' | 'function';
  /** `inline` runs as a local activity; `executor` in whatever the run's plan says: docker or process. */
  readonly isolation: Isolation | 'inline';
  readonly image: ImageSpec | undefined;
  readonly command: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly { readonly name: string; readonly env: boolean }[];
  readonly resources: {
    readonly cpus: number;
    /** Bytes, as are shm and disk. */
    readonly memory: number;
    readonly gpus: number;
    readonly shm: number;
    readonly pids: number;
    readonly disk: number;
  };
  readonly network: boolean;
  readonly timeoutMs: number;
  readonly retry: {
    readonly attempts: number;
    readonly initialIntervalMs: number;
    readonly backoff: number;
    readonly maximumIntervalMs: number;
  };
  /** Artifact outputs; every other output field is JSON. */
  readonly artifacts: readonly OutputField[];
  /** Names of the other output fields. */
  readonly values: readonly string[];
  /** Source folder, stored as a tree. */
  readonly source: StoredContent | undefined;
  /** A function step's own bundle, stored as a file. */
  readonly code: StoredContent | undefined;
  /** Build context of `image.build`, stored as a tree. */
  readonly imageContext: StoredContent | undefined;
};

export type StoredContent = { readonly digest: Digest; readonly type: ContentType; readonly size: number };

/** Before the loader has stored source and code: `source` is still a folder relative to the steps file. */
export type UnresolvedStepSpec = Omit<StepSpec, 'source' | 'code' | 'imageContext'> & {
  readonly source: string | undefined;
};

/**
 * Declares a step. In a `*.steps.ts` file only: the workflow bundle gets a proxy of it, never its code.
 * @returns a function that pipelines call with the step's input
 * @throws DefinitionInvalid naming the option that is wrong
 */
export function step<I extends z.ZodObject, O extends z.ZodObject>(
  options: CommandStepOptions<I, O>,
): Step<I, O>;
export function step<I extends z.ZodObject, O extends z.ZodObject>(
  options: FunctionStepOptions<I, O>,
  handler: StepHandler<I, O>,
): Step<I, O>;
export function step<I extends z.ZodObject, O extends z.ZodObject>(
  options: CommandStepOptions<I, O> | FunctionStepOptions<I, O>,
  handler?: StepHandler<I, O>,
): Step<I, O> {
  const spec = specOf(options, handler !== undefined);
  const definition: StepDefinition<I, O> = { spec, input: options.input, output: options.output, handler };
  const call = (input: z.input<I>) =>
    currentRuntime(`step \`${spec.name}\``).step(spec.name, input) as Promise<z.output<O>>;
  const made = Object.assign(call, { [STEP]: definition });
  collector()?.push(definition);
  return made;
}

export const isStep = (value: unknown): value is Step => typeof value === 'function' && STEP in value;

/** Every step made while a project is loaded, so that the loader finds those outside a steps file. */
const collector = (): StepDefinition[] | undefined =>
  (globalThis as { [COLLECTOR]?: StepDefinition[] })[COLLECTOR];
const COLLECTOR = Symbol.for('millrace.step-collector');

export async function collectSteps<T>(
  load: () => T | Promise<T>,
): Promise<{ readonly loaded: T; readonly steps: readonly StepDefinition[] }> {
  const steps: StepDefinition[] = [];
  const holder = globalThis as { [COLLECTOR]?: StepDefinition[] | undefined };
  const outer = holder[COLLECTOR];
  holder[COLLECTOR] = steps;
  try {
    return { loaded: await load(), steps };
  } finally {
    holder[COLLECTOR] = outer;
  }
}

const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

/** @throws DefinitionInvalid when a name could not stand in paths, labels and types */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name === 'string' && namePattern.test(name)) return;
  throw new DefinitionInvalid(
    `Expected the name of a ${what} to match ${namePattern.source}, got ${JSON.stringify(name)}.`,
    {
      hint: 'Use letters, digits, - and _, beginning with a letter.',
    },
  );
}

function specOf(
  options: CommandStepOptions<z.ZodObject, z.ZodObject> | FunctionStepOptions<z.ZodObject, z.ZodObject>,
  isFunction: boolean,
): UnresolvedStepSpec {
  checkName(options.name, 'step');
  const { name, resources = {}, retry = {} } = options;
  const where = (option: string) => `${option}\` of step \`${name}`;
  const command = 'command' in options ? options.command : undefined;
  const asked = 'isolation' in options ? options.isolation : undefined;
  const inline = 'inline' in options && (options.inline ?? false);
  refuse(
    !isFunction && !(Array.isArray(command) && command.length > 0),
    name,
    'needs a `command` or a function',
    'Give `command: [program, …]` or a function as second argument.',
  );
  refuse(isFunction && command !== undefined, name, 'has a `command` and a function', 'Keep one of the two.');
  refuse(
    inline && asked !== undefined,
    name,
    'has `inline` and `isolation`',
    'An inline step runs in the worker: leave `isolation` out.',
  );
  refuse(
    asked !== undefined && !isolations.includes(asked),
    name,
    `has the unknown isolation ${JSON.stringify(asked)}`,
    `Use one of ${isolations.join(', ')}.`,
  );
  if (command)
    checkPlaceholders(name, command, {
      input: Object.keys(options.input.shape),
      output: Object.keys(options.output.shape),
    });
  const isolation = inline ? 'inline' : (asked ?? 'container');
  const given = typeof options.image === 'string' ? imageReference(options.image) : options.image;
  const reserved = Object.keys(options.env ?? {}).find((variable) => variable.startsWith('MILLRACE_'));
  refuse(
    reserved !== undefined,
    name,
    `sets ${reserved}, a name the step contract keeps for itself`,
    'Use another name.',
  );
  const attempts = retry.attempts ?? 1;
  refuse(
    !Number.isInteger(attempts) || attempts < 1,
    name,
    `has retry.attempts ${attempts}`,
    'Give a whole number from 1.',
  );
  const cpus = resources.cpus ?? 1;
  refuse(!(cpus > 0 && Number.isFinite(cpus)), name, `has resources.cpus ${cpus}`, 'Give a number above 0.');
  const gpus = resources.gpus ?? 0;
  refuse(
    !(Number.isInteger(gpus) && gpus >= 0),
    name,
    `has resources.gpus ${gpus}`,
    'Give a whole number from 0.',
  );
  const pids = resources.pids ?? 4096;
  refuse(
    !(Number.isInteger(pids) && pids > 0),
    name,
    `has resources.pids ${pids}`,
    'Give a whole number from 1.',
  );
  const backoff = retry.backoff ?? 2;
  refuse(
    !(backoff >= 1 && Number.isFinite(backoff)),
    name,
    `has retry.backoff ${backoff}`,
    'Give a number from 1.',
  );
  const timeoutMs = durationMs(options.timeout ?? '24h', where('timeout'));
  refuse(timeoutMs === 0, name, 'has a `timeout` of 0', 'Give the longest time of one attempt.');
  const initialIntervalMs = durationMs(retry.initialInterval ?? '1s', where('retry.initialInterval'));
  const maximumIntervalMs = durationMs(
    retry.maximumInterval ?? Math.max(60_000, initialIntervalMs),
    where('retry.maximumInterval'),
  );
  refuse(
    maximumIntervalMs < initialIntervalMs,
    name,
    `has a retry.maximumInterval of ${maximumIntervalMs} ms, less than its retry.initialInterval of ${initialIntervalMs} ms`,
    'Raise the one or lower the other.',
  );
  return {
    name,
    version: options.version,
    run: isFunction ? 'function' : 'command',
    isolation: !isFunction && given === undefined ? 'process' : isolation,
    image: given ?? (isFunction && isolation === 'container' ? imageReference('node:22-slim') : undefined),
    command,
    env: options.env ?? {},
    secrets: (options.secrets ?? []).map((use) =>
      typeof use === 'string' ? { name: use, env: false } : { name: use.name, env: use.env ?? false },
    ),
    resources: {
      cpus,
      memory: bytes(resources.memory ?? '1GiB', where('resources.memory')),
      gpus,
      shm: bytes(resources.shm ?? '64MiB', where('resources.shm')),
      pids,
      disk: bytes(resources.disk ?? '10GiB', where('resources.disk')),
    },
    network: options.network ?? false,
    timeoutMs,
    retry: {
      attempts,
      initialIntervalMs,
      backoff,
      maximumIntervalMs,
    },
    ...outputFields(options.output, name),
    source: 'source' in options ? options.source : undefined,
  };
}

function outputFields(output: z.ZodObject, step: string): Pick<StepSpec, 'artifacts' | 'values'> {
  const artifacts: OutputField[] = [];
  const values: string[] = [];
  for (const [name, schema] of Object.entries(output.shape) as [string, z.ZodType][]) {
    const kind = artifactKindOf(schema);
    if (kind === undefined) values.push(name);
    else {
      refuse(
        !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name),
        step,
        `has the artifact output ${JSON.stringify(name)}`,
        'Use a name that can be a file name.',
      );
      artifacts.push({ name, kind, optional: schema.safeParse(undefined).success });
    }
  }
  return { artifacts, values };
}

function refuse(wrong: boolean, step: string, what: string, hint: string): void {
  if (wrong) throw new DefinitionInvalid(`Step \`${step}\` ${what}.`, { hint });
}
