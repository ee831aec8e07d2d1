import type { z } from 'zod';
import type { ArtifactKind, ContentType, Digest } from './artifact.js';
import { artifactKindOf } from './artifact.js';
import { bytes } from './bytes.js';
import { checkName } from './check-name.js';
import { checkPlaceholders } from './command-template.js';
import { durationMs } from './duration.js';
import { DefinitionInvalid } from './errors.js';
import type { FailurePolicy } from './failure-policy.js';
import { failurePolicy } from './failure-policy.js';
import type { ImageSpec } from './image.js';
import { image as imageReference } from './image.js';
import type { CacheSpec } from './cache-spec.js';
import { cacheSpec } from './cache-spec.js';
import type { RetrySpec } from './retry-policy.js';
import { retrySpec } from './retry-policy.js';
import type { CheckpointSpec } from './checkpoint-spec.js';
import { checkpointSpec } from './checkpoint-spec.js';
import type { CommandStepOptions, FunctionStepOptions, Isolation } from './step-options.js';
import { isolations } from './step-options.js';
import type { TimeoutSpec } from './step-timeouts.js';
import { timeoutSpec } from './step-timeouts.js';

export type OutputField = { readonly name: string; readonly kind: ArtifactKind; readonly optional: boolean };

/** All that is recorded of a step, as JSON with every default filled in. */
export type StepSpec = TimeoutSpec & {
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
  /** What becomes of it when no attempt is left; undefined where the run decides. */
  readonly onFailure: FailurePolicy | undefined;
  readonly retry: RetrySpec;
  /** How its checkpoint is stored; false where it is not, undefined in builds of before it was. */
  readonly checkpoint?: CheckpointSpec | false;
  /** Time from SIGTERM to SIGKILL, ms; undefined in builds of before it was there. */
  readonly stopGraceMs?: number;
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
  /** How its results are cached; undefined where they are not. */
  readonly cache: CacheSpec | undefined;
  /**
   * Digest of what the step does: its code, imports and schemas without what cannot change an answer (resources, timeout, retry,
   * cache, comments, layout). By it cached and recorded results outlive a change of memory. Builds of before it was for every
   * step have it of cached steps only.
   */
  readonly logic: Digest | undefined;
};

export type StoredContent = { readonly digest: Digest; readonly type: ContentType; readonly size: number };

/** Before the loader has stored source and code: `source` is still a folder relative to the steps file. */
export type UnresolvedStepSpec = Omit<StepSpec, 'source' | 'code' | 'imageContext' | 'cache' | 'logic'> & {
  readonly source: string | undefined;
  /** False: never. Undefined: as the configuration says. */
  readonly cache: CacheSpec | false | undefined;
};

/** The spec of a step as it is declared. @throws DefinitionInvalid naming the option that is wrong */
export function specOf(
  options: CommandStepOptions<z.ZodObject, z.ZodObject> | FunctionStepOptions<z.ZodObject, z.ZodObject>,
  isFunction: boolean,
): UnresolvedStepSpec {
  checkName(options.name, 'step');
  const { name, resources = {} } = options;
  const unknown = Object.keys(options).find((option) => !knownOptions.includes(option));
  refuse(
    unknown !== undefined,
    name,
    `has the unknown option \`${unknown}\``,
    `Its options: ${knownOptions.join(', ')}.`,
  );
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
  const secret = (options.secrets ?? [])
    .map((use) => (typeof use === 'string' ? use : use.name))
    .find((each) => !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(each));
  refuse(
    secret !== undefined,
    name,
    `uses the secret ${JSON.stringify(secret)}`,
    'Use letters, digits, _, - and .',
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
    ...timeoutSpec(name, options.timeout),
    onFailure: failurePolicy(options.onFailure, `Step \`${name}\``),
    retry: retrySpec(name, options.retry ?? {}),
    checkpoint: checkpointSpec(options, { inWorker: isolation === 'inline' || isolation === 'none' }),
    stopGraceMs: durationMs(options.stopGrace ?? defaultStopGrace, where('stopGrace')),
    ...outputFields(options.output, name),
    cache: cacheSpec(options, { inline }),
    source: 'source' in options ? options.source : undefined,
  };
}

const knownOptions: readonly string[] = [
  'name', 'input', 'output', 'env', 'secrets', 'resources', 'network', 'timeout', 'retry', 'stopGrace', 'onFailure', 'version', 'cache', 'checkpoint', 'image', 'source', 'command', 'isolation', 'inline',
]; // prettier-ignore

const defaultStopGrace = '10 s';

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
