import type { ArtifactRef } from '../../sdk/artifact.js';
import { walkArtifacts } from '../../sdk/artifact.js';
import type { CacheSpec } from '../../sdk/cache-spec.js';
import { ArtifactCorrupt, ArtifactMissing } from '../../sdk/errors.js';
import type { CacheEntry } from '../../store/cache-index.js';
import { touchArtifact } from '../../store/touch-artifact.js';
import type { StepEnvironment } from '../step-environment.js';
import type { StepKey } from './step-key.js';

/** A result to take, or why there is none. */
export type Usable =
  | { readonly entry: CacheEntry; readonly reason?: undefined }
  | { readonly entry?: undefined; readonly reason: string };

/** Content up to this size is read before its result is taken; of larger content it is seen that it is there. */
const readUpTo = 64 * 2 ** 20;

/** The cached result of a key, if it may be used: not too old, and its content there. */
export async function usableEntry(
  { key }: StepKey,
  { ttlMs }: CacheSpec,
  { catalog, store }: StepEnvironment,
  signal: AbortSignal,
): Promise<Usable> {
  const entry = await catalog.cache.entry(key);
  if (!entry) return { reason: 'no entry' };
  if (ttlMs !== undefined && Date.now() - Date.parse(entry.createdAt) > ttlMs)
    return { reason: 'the entry is older than its ttl' };
  const refs: ArtifactRef[] = [];
  walkArtifacts(entry.output, (ref) => refs.push(ref));
  for (const ref of refs) {
    const lost = await lossOf(ref, store, signal);
    // The entry stays: whoever computes the result now puts it in its place.
    if (lost !== undefined) return { reason: lost };
  }
  return { entry };
}

async function lossOf(
  ref: ArtifactRef,
  store: StepEnvironment['store'],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    if (ref.size <= readUpTo) await store.verify(ref, { signal });
    else if (!(await store.has(ref, { signal }))) return `content of ${ref.name} is missing`;
    // The run that takes it names it in a moment: garbage collection must not be quicker.
    return (await touchArtifact(store, ref, { signal })) ? undefined : `content of ${ref.name} is missing`;
  } catch (error) {
    if (error instanceof ArtifactMissing) return `content of ${ref.name} is missing`;
    if (error instanceof ArtifactCorrupt) return `content of ${ref.name} has changed`;
    throw error;
  }
}
