import { isMillraceError } from '../sdk/errors.js';
import type { ArtifactStore, StoredArtifact, StoreOptions } from './artifact-store.js';
import { eachLimited } from './each-limited.js';

const atOnce = 8;

/**
 * Says that an artifact is needed, before something new names it: garbage collection then leaves all of its content alone for a
 * day, as if it had been put just now.
 * @returns whether all of it is there
 */
export async function touchArtifact(
  store: ArtifactStore,
  { digest, type }: Pick<StoredArtifact, 'digest' | 'type'>,
  options: StoreOptions = {},
): Promise<boolean> {
  if (!(await store.touch(digest))) return false;
  if (type === 'file') return true;
  const entries = await store.entries(digest, options).catch((error: unknown) => {
    if (isMillraceError(error)) return undefined;
    throw error;
  });
  if (!entries) return false;
  const contents = [...new Set(entries.map((entry) => entry.digest))];
  const there = await eachLimited(contents, (content) => store.touch(content), {
    limit: atOnce,
    signal: options.signal,
  });
  return there.every(Boolean);
}
