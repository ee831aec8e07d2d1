import type { ArtifactStore } from '../store/artifact-store.js';
import type { CachePlace, CacheUse, KeyParts } from '../store/cache-index.js';
import type { Catalog } from '../store/catalog.js';
import { readView } from './read-view.js';
import type { KeyChange } from './key-changes.js';
import { keyChanges } from './key-changes.js';
import { unknownStep } from './unknown-step.js';

/** What the cache did for a step of a run. */
export type CacheWhy = CachePlace & {
  /** `off`: the step, or the run, does not use the cache. */
  readonly outcome: CacheUse['outcome'] | 'off';
  readonly key?: string;
  readonly parts?: KeyParts;
  readonly from?: CachePlace;
  /** Why there was nothing to take: `no entry`, `the entry is older than its ttl`. */
  readonly reason?: string;
  /** The newest earlier run of the pipeline in which this step had a key; the one at the same path goes first. */
  readonly since?: CachePlace & { readonly key: string };
  /** Parts of the key that differ from it; none where the keys are the same. */
  readonly changes: readonly KeyChange[];
};

/** @throws UnknownRun; UnknownStep with the nearest path */
export async function cacheWhy(
  { run, path }: CachePlace,
  { catalog, store }: { readonly catalog: Catalog; readonly store: ArtifactStore },
): Promise<CacheWhy> {
  const use = await catalog.cache.use({ run, path });
  if (!use) {
    await requireStep({ run, path }, catalog);
    return { run, path, outcome: 'off', changes: [] };
  }
  const { step, pipeline, at, key, parts, outcome, from, reason } = use;
  const before = await catalog.cache.useBefore({ step, pipeline, path, run, at });
  return {
    run,
    path,
    outcome,
    key,
    parts,
    ...(from && { from }),
    ...(reason !== undefined && { reason }),
    ...(before && { since: { run: before.run, path: before.path, key: before.key } }),
    changes: before && before.key !== key ? await keyChanges(before.parts, parts, store) : [],
  };
}

async function requireStep({ run, path }: CachePlace, catalog: Catalog): Promise<void> {
  const paths = (await readView(run, catalog)).steps.map((step) => step.path);
  if (!paths.includes(path)) throw unknownStep({ run, path, known: paths });
}
