import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import type { MillraceClient } from '../client/client.js';
import type { ArtifactKind, ArtifactRef } from '../sdk/artifact.js';
import { artifactKindOf } from '../sdk/artifact.js';
import { InvalidInput } from '../sdk/errors.js';
import type { InputFlags } from './parse-input.js';

export type UploadOptions = {
  /** The pipeline's input schema: says which kind a field takes. */
  readonly schema: z.ZodType;
  readonly client: Pick<MillraceClient, 'upload'>;
};

/**
 * The input of a run: values as given, each file uploaded as the kind of artifact that its field takes.
 * @throws InvalidInput for a file that is not there, or a field that takes none; nothing was uploaded then
 */
export async function uploadInputs(
  { values, files }: InputFlags,
  { schema, client }: UploadOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const uploads = Object.entries(files).map(([key, paths]) => ({ key, paths, ...fieldOf(schema, key) }));
  for (const { key, paths, many } of uploads) {
    if (!many && paths.length > 1) {
      throw new InvalidInput(`\`${key}\` takes one file and was given ${paths.length}.`, {
        hint: 'Give --input for it once.',
      });
    }
    for (const file of paths) await checkThere(key, file);
  }
  const input: Record<string, unknown> = { ...values };
  for (const { key, paths, kind, many } of uploads) {
    const refs: ArtifactRef[] = [];
    for (const file of paths) refs.push(await client.upload(file, { kind }));
    input[key] = many ? refs : refs[0];
  }
  return input;
}

async function checkThere(key: string, file: string): Promise<void> {
  try {
    await stat(file);
  } catch (cause) {
    throw new InvalidInput(`The file for \`${key}\` is not there: ${path.resolve(file)}.`, {
      fields: { field: key, path: path.resolve(file) },
      hint: 'Paths are relative to the current folder, or to --cwd.',
      cause,
    });
  }
}

type Field = {
  readonly kind: ArtifactKind;
  /** The field is an array of artifacts. */ readonly many: boolean;
};

/** Kinds are read off the shape: the schema comes from the project's own copy of zod. */
function fieldOf(schema: z.ZodType, key: string): Field {
  const { shape } = defOf(inside(schema));
  // Not an object with known fields: the schema itself will say whether it fits.
  if (shape === undefined) return { kind: 'dataset', many: false };
  const field = Object.hasOwn(shape, key) ? shape[key] : undefined;
  if (field === undefined) {
    throw new InvalidInput(`The pipeline has no input \`${key}\`.`, {
      fields: { field: key, known: Object.keys(shape) },
      hint: `It takes: ${Object.keys(shape).join(', ') || 'nothing'}.`,
    });
  }
  const kind = artifactKindOf(field);
  if (kind) return { kind, many: false };
  const { element } = defOf(inside(field));
  const elementKind = element && artifactKindOf(element);
  if (elementKind) return { kind: elementKind, many: true };
  throw new InvalidInput(`\`${key}\` takes a value, not a file.`, {
    fields: { field: key },
    hint: `Give --input ${key}=VALUE; a text that begins with @ goes into JSON: --input '{"${key}":"@…"}'.`,
  });
}

type Def = {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
};
const defOf = (schema: z.ZodType): Def => (schema as unknown as { readonly def: Def }).def;

/** Through optional, default, nullable and the like. */
function inside(schema: z.ZodType): z.ZodType {
  const { innerType } = defOf(schema);
  return innerType === undefined ? schema : inside(innerType);
}
