import { isArtifactRef } from '../sdk/artifact.js';
import type { Digest } from '../sdk/artifact.js';
import { isMillraceError } from '../sdk/errors.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { KeyParts } from '../store/cache-index.js';

/** One difference between two content keys. */
export type KeyChange = {
  /** Name of the part: `source`, `input.trees`. */
  readonly part: string;
  /** In words: `train.py changed`, `100 → 200`. */
  readonly says: string;
};

/** Which parts of a content key differ, each in words. Of a source it names the files. */
export async function keyChanges(
  before: KeyParts,
  after: KeyParts,
  store: ArtifactStore,
): Promise<readonly KeyChange[]> {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const changes = await Promise.all(
    names.map(async (part): Promise<readonly KeyChange[]> => {
      const [old, now] = [before[part], after[part]];
      if (JSON.stringify(old) === JSON.stringify(now)) return [];
      if (part === 'source') return [{ part, says: await sourceChange(old, now, store) }];
      if (part === 'logic')
        return [{ part, says: 'the code of the step, its schemas or its imports changed' }];
      if (part === 'input' || part === 'env') return valueChanges(old, now, part);
      return [{ part, says: `${shown(old)} → ${shown(now)}` }];
    }),
  );
  return changes.flat();
}

async function sourceChange(old: unknown, now: unknown, store: ArtifactStore): Promise<string> {
  if (typeof old !== 'string' || typeof now !== 'string')
    return now === undefined ? 'has none any more' : 'is new';
  try {
    const [was, is] = await Promise.all([old, now].map((digest) => filesOf(digest as Digest, store)));
    const paths = [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])].sort();
    const words = paths.flatMap((file) => {
      const [a, b] = [was?.get(file), is?.get(file)];
      if (a === b) return [];
      return [`${file} ${a === undefined ? 'is new' : b === undefined ? 'is gone' : 'changed'}`];
    });
    return words.join(', ') || 'empty folders changed';
  } catch (error) {
    // The old source may have been collected: that it differs is known all the same.
    if (!isMillraceError(error)) throw error;
    return `${shown(old)} → ${shown(now)}`;
  }
}

async function filesOf(digest: Digest, store: ArtifactStore): Promise<ReadonlyMap<string, string>> {
  const entries = await store.entries(digest);
  return new Map(entries.map(({ path, digest: content, executable }) => [path, `${content} ${executable}`]));
}

/** Differences inside a JSON value, each with its path. */
function valueChanges(old: unknown, now: unknown, part: string): readonly KeyChange[] {
  if (JSON.stringify(old) === JSON.stringify(now)) return [];
  if (!isPlain(old) || !isPlain(now)) return [{ part, says: `${shown(old)} → ${shown(now)}` }];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  return keys.flatMap((key) => valueChanges(old[key], now[key], `${part}.${key}`));
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !isArtifactRef(value);

function shown(value: unknown): string {
  if (value === undefined) return 'none';
  if (isArtifactRef(value)) return shown(value.digest);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text.slice(0, 19);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
