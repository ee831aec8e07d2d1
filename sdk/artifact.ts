import { z } from 'zod';

/** What an artifact stands for. Any kind is a file or a folder tree; the kind is what types and people tell apart. */
export const artifactKinds = ['dataset', 'model', 'file', 'directory', 'report'] as const;
export type ArtifactKind = (typeof artifactKinds)[number];

export type ContentType = 'file' | 'tree';
/** `sha256:` and 64 hex digits. */
export type Digest = `sha256:${string}`;

/** A reference to stored content: what pipelines pass around and Temporal's history keeps. Never a path. */
export type ArtifactRef<K extends ArtifactKind = ArtifactKind> = {
  readonly $artifact: K;
  readonly digest: Digest;
  /** One file, or a folder tree (its digest is that of its manifest). */
  readonly type: ContentType;
  /** Bytes; of a tree, the sum of its files. */
  readonly size: number;
  /** The name it was uploaded or made under, for people. */
  readonly name: string;
};

export type ArtifactSchema<K extends ArtifactKind> = z.ZodType<ArtifactRef<K>, ArtifactRef<K>>;

export const digestPattern = /^sha256:[0-9a-f]{64}$/;

function artifact<K extends ArtifactKind>(kind: K): ArtifactSchema<K> {
  return z.object({
    $artifact: z.literal(kind),
    digest: z.string().regex(digestPattern, 'a digest: sha256: and 64 hex digits'),
    type: z.enum(['file', 'tree']),
    size: z.number().int().nonnegative(),
    name: z.string(),
  }) as unknown as ArtifactSchema<K>;
}

/** A table or collection of records: a file or a folder. */
export const dataset = (): ArtifactSchema<'dataset'> => artifact('dataset');
/** A trained model: a file or a folder. */
export const model = (): ArtifactSchema<'model'> => artifact('model');
/** One file of any sort. */
export const file = (): ArtifactSchema<'file'> => artifact('file');
/** A folder tree of any sort. */
export const directory = (): ArtifactSchema<'directory'> => artifact('directory');
/** What people read: plots, tables, a page; evidence for gates and approvals. */
export const report = (): ArtifactSchema<'report'> => artifact('report');

export const isArtifactRef = (value: unknown): value is ArtifactRef =>
  typeof value === 'object' &&
  value !== null &&
  artifactKinds.includes((value as ArtifactRef).$artifact) &&
  digestPattern.test((value as ArtifactRef).digest);

/**
 * The artifact kind a schema stands for, seen through optional, default, nullable and the like; undefined for any other
 * schema. It looks at the shape, so it works on clones and across copies of zod.
 */
export function artifactKindOf(schema: z.ZodType): ArtifactKind | undefined {
  const tag = defOf(unwrap(schema)).shape?.['$artifact'];
  const values = tag && defOf(tag).values;
  return artifactKinds.find((kind) => values?.includes(kind));
}

type Def = {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly shape?: Record<string, z.ZodType>;
  readonly values?: readonly unknown[];
};
const defOf = (schema: z.ZodType): Def => (schema as unknown as { def: Def }).def;

function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType } = defOf(schema);
  return innerType === undefined || defOf(schema).type === 'array' ? schema : unwrap(innerType);
}

/** Calls `visit` for each artifact reference inside a JSON value, with its path of keys. */
export function walkArtifacts(
  value: unknown,
  visit: (ref: ArtifactRef, path: readonly string[]) => void,
  path: readonly string[] = [],
): void {
  if (isArtifactRef(value)) visit(value, path);
  else if (Array.isArray(value))
    value.forEach((item, index) => walkArtifacts(item, visit, [...path, String(index)]));
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) walkArtifacts(item, visit, [...path, key]);
  }
}

/** The JSON value with each artifact reference replaced by what `replace` gives for it. */
export function mapArtifacts(
  value: unknown,
  replace: (ref: ArtifactRef, path: readonly string[]) => unknown,
  path: readonly string[] = [],
): unknown {
  if (isArtifactRef(value)) return replace(value, path);
  if (Array.isArray(value))
    return value.map((item, index) => mapArtifacts(item, replace, [...path, String(index)]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapArtifacts(item, replace, [...path, key])]),
  );
}
