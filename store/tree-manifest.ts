import { z } from 'zod';
import type { Digest } from '../sdk/artifact.js';
import { digestPattern } from '../sdk/artifact.js';
import type { TreeEntry } from './artifact-store.js';

/** A folder tree as it is stored: its files by content, and the folders that hold nothing. */
export type Tree = {
  readonly entries: readonly TreeEntry[];
  /** Paths of empty folders. */
  readonly emptyFolders: readonly string[];
};

const format = 'millrace-tree/1';

/**
 * The manifest of a tree: the same tree gives the same bytes everywhere (docs/artifact-layout.md). Paths are sorted by their
 * UTF-8 bytes.
 */
export function encodeManifest({ entries, emptyFolders }: Tree): Buffer {
  const sorted = sortByBytes(entries, (entry) => entry.path);
  return Buffer.from(
    JSON.stringify({
      format,
      entries: sorted.map(({ path, digest, size, executable }) => ({ path, digest, size, executable })),
      emptyFolders: sortByBytes(emptyFolders, (path) => path),
    }),
  );
}

/** The tree a manifest tells of, or undefined when these bytes are no canonical manifest. */
export function decodeManifest(bytes: Buffer): Tree | undefined {
  const parsed = manifestSchema.safeParse(parseJson(bytes.toString('utf8')));
  if (!parsed.success) return undefined;
  const { entries, emptyFolders } = parsed.data;
  const paths = new Set([...entries.map((entry) => entry.path), ...emptyFolders]);
  const unique = paths.size === entries.length + emptyFolders.length;
  return unique && encodeManifest({ entries, emptyFolders }).equals(bytes)
    ? { entries, emptyFolders }
    : undefined;
}

/** Whether bytes begin as a manifest does: enough to tell what content is, not that it is whole. */
export const looksLikeManifest = (beginning: Uint8Array): boolean =>
  Buffer.from(beginning.subarray(0, manifestBeginning.length)).equals(manifestBeginning);
const manifestBeginning = Buffer.from(`{"format":"${format}","entries":[`);

export const treeSize = (entries: readonly TreeEntry[]): number =>
  entries.reduce((sum, entry) => sum + entry.size, 0);

// A manifest may come from anyone who can upload: a path that climbs out of the target must not get past this.
const safePath = z
  .string()
  .refine(
    (path) =>
      !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
  );
const manifestSchema = z.strictObject({
  format: z.literal(format),
  entries: z.array(
    z.strictObject({
      path: safePath,
      digest: z.custom<Digest>((value) => typeof value === 'string' && digestPattern.test(value)),
      size: z.number().int().nonnegative(),
      executable: z.boolean(),
    }),
  ),
  emptyFolders: z.array(safePath),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sortByBytes<T>(items: readonly T[], path: (item: T) => string): readonly T[] {
  return items
    .map((item) => ({ item, key: Buffer.from(path(item)) }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ item }) => item);
}
