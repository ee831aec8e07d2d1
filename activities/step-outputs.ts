import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import type { ArtifactRef } from '../sdk/artifact.js';
import { isArtifactRef, walkArtifacts } from '../sdk/artifact.js';
import { placeholders } from '../sdk/command-template.js';
import { StepOutputInvalid, StepOutputMissing, UnsafeOutput } from '../sdk/errors.js';
import { formatBytes } from '../sdk/bytes.js';
import { largestValue } from '../sdk/check-size.js';
import { inputProblems } from '../sdk/input-problems.js';
import { contract } from '../sdk/step-contract.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type { StepDefinition } from '../sdk/step.js';
import { isOwnFolder, readStepFile } from './read-step-file.js';
import type { ArtifactStore } from '../store/artifact-store.js';

export type OutputsOptions = {
  readonly spec: StepSpec;
  readonly folder: string;
  /** Output fields the program gave as JSON. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Artifacts that a handler left elsewhere. */
  readonly moved?: Readonly<Record<string, string>>;
  readonly store: ArtifactStore;
  readonly signal: AbortSignal;
  /** Digests of the step's input artifacts. Default: none. */
  readonly given?: ReadonlySet<string>;
};

/** Stores each declared artifact. @throws StepOutputMissing, UnsafeOutput */
export async function storeArtifacts({
  spec,
  folder,
  values,
  moved = {},
  store,
  signal,
  given = new Set(),
}: OutputsOptions): Promise<Readonly<Record<string, ArtifactRef>>> {
  const stored: Record<string, ArtifactRef> = {};
  if (
    !(await isOwnFolder(path.join(folder, contract.outputs))) &&
    spec.artifacts.some(({ name }) => !moved[name])
  ) {
    throw new UnsafeOutput(`Step \`${spec.name}\` replaced its folder out/ by something else.`, {
      hint: 'Write into out/; leave the folder itself alone.',
    });
  }
  for (const { name, kind, optional } of spec.artifacts) {
    // Handing on an input is making no copy of it.
    const value = values[name];
    if (isArtifactRef(value)) {
      refuseForged(spec.name, name, value, given);
      continue;
    }
    const made = moved[name] ?? path.join(folder, contract.outputs, name);
    if (await exists(made)) stored[name] = { $artifact: kind, ...(await store.put(made, { signal })), name };
    else if (!optional) {
      throw new StepOutputMissing(
        `Step \`${spec.name}\` ended without its output \`${name}\`: nothing is at out/${name}.`,
        {
          fields: { output: name },
          hint: `Write a file or folder there, or make the output optional.`,
        },
      );
    }
  }
  return stored;
}

/**
 * Value outputs of a program: output.json, and files of out/ that its command names. Such a file is JSON where its field takes
 * that, else text: `1.10` is a number or a version, as the schema says.
 * @throws StepOutputInvalid
 */
export async function readValues(
  { spec, output }: Pick<StepDefinition, 'output'> & { readonly spec: StepSpec },
  folder: string,
): Promise<Readonly<Record<string, unknown>>> {
  const values: Record<string, unknown> = {
    ...(await readOutputJson(spec, path.join(folder, contract.output))),
  };
  const named = new Set(
    placeholders(spec.command ?? []).flatMap(({ kind, name }) => (kind === 'out' ? [name] : [])),
  );
  for (const name of spec.values) {
    if (name in values || !named.has(name)) continue;
    const text = await valueText(spec, path.join(folder, contract.outputs, name));
    if (text === undefined) continue;
    const field = output.shape[name] as z.ZodType | undefined;
    const candidates = [parsed(text), text.trim()];
    values[name] = candidates.find((value) => field?.safeParse(value).success) ?? candidates[0];
  }
  return values;
}

/**
 * @param given digests of the step's input artifacts; default none
 * @throws StepOutputInvalid naming each wrong field
 */
export function checkedOutput(
  definition: StepDefinition,
  output: unknown,
  given: ReadonlySet<string> = new Set(),
): Readonly<Record<string, unknown>> {
  const result = definition.output.safeParse(output);
  if (result.success) {
    for (const name of definition.spec.values)
      refuseForged(definition.spec.name, name, result.data[name], given);
    return result.data;
  }
  const problems = inputProblems(result.error);
  throw new StepOutputInvalid(
    `The output of step \`${definition.spec.name}\` breaks its schema: ${problems.join('; ')}.`,
    {
      fields: { problems },
      hint: 'Mend the step or its `output` schema; its log is kept.',
    },
  );
}

/** A reference that the step was not given would let it read whatever the store holds. */
function refuseForged(step: string, output: string, value: unknown, given: ReadonlySet<string>): void {
  walkArtifacts(value, ({ digest }) => {
    if (given.has(digest)) return;
    throw new StepOutputInvalid(
      `Step \`${step}\` named as output \`${output}\` an artifact that is not of its input: ${digest}.`,
      {
        fields: { output },
        hint: 'Write the content to out/; only an input may be handed on by its reference.',
      },
    );
  });
}

async function readOutputJson(spec: StepSpec, file: string): Promise<object> {
  const text = await valueText(spec, file);
  if (text === undefined || text.trim() === '') return {};
  const value: unknown = parsed(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new StepOutputInvalid(`Step \`${spec.name}\` wrote an output.json that is no JSON object.`, {
    hint: 'Write one object with a field per value output.',
  });
}

async function valueText(spec: StepSpec, file: string): Promise<string | undefined> {
  try {
    return await readStepFile(file, largestValue);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StepOutputInvalid(
      `Step \`${spec.name}\` wrote values of more than ${formatBytes(largestValue)} into ${path.basename(file)}.`,
      {
        hint: 'Make it an artifact output.',
        cause: error,
      },
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** What a step may hand on. */
export function digestsOf(input: unknown): ReadonlySet<string> {
  const digests = new Set<string>();
  walkArtifacts(input, ({ digest }) => digests.add(digest));
  return digests;
}
