import type { Digest } from '../sdk/artifact.js';
import { isMillraceError } from '../sdk/errors.js';
import type { ArtifactStore } from './artifact-store.js';
import type { Catalog } from './catalog.js';
import { eachLimited } from './each-limited.js';
import type { GarbagePlan, KeepReason, NamedContent } from './garbage-catalog.js';

export type GarbageOptions = {
  readonly catalog: Pick<Catalog, 'garbage'>;
  readonly store: ArtifactStore;
  /** Runs that closed earlier than this many ms ago go. */
  readonly olderThanMs: number;
  /** Says what would go, and removes nothing. Default false. */
  readonly dryRun?: boolean;
  /** Content put or touched within so many ms stays, whatever names it. Default a day; tests shorten it. */
  readonly graceMs?: number;
  readonly signal?: AbortSignal;
};

export type Amount = { readonly blobs: number; readonly bytes: number };
/** Why content goes: its run or build went, or nothing ever named it (uploads nobody used, what dead attempts left). */
export type RemoveReason = 'run' | 'build' | 'unused';

export type GarbageReport = {
  readonly dryRun: boolean;
  /** ISO 8601: runs that closed before went. */
  readonly before: string;
  readonly runs: { readonly removed: readonly string[]; readonly kept: number };
  readonly builds: { readonly removed: number };
  readonly removed: Amount & { readonly byReason: Readonly<Record<RemoveReason, Amount>> };
  /** `young`: nothing names it, but it was put or touched within the last day. */
  readonly kept: Amount & { readonly byReason: Readonly<Record<KeepReason | 'young', Amount>> };
};

/** Blobs that are removed after one second look at the catalog. */
const lookAgainAfter = 2_000;
const atOnce = 8;
const dayMs = 24 * 3_600_000;

/**
 * Removes what no kept run, model or build reaches. Workers may go on beside it: who names content has put or touched it first,
 * and what was touched within the grace time stays; what is to go is looked for in the catalog once more. It may die at any
 * moment: rows go before their content, so that nothing is left that names what is gone, and the next call goes on.
 */
export async function collectGarbage(options: GarbageOptions): Promise<GarbageReport> {
  const { catalog, store, olderThanMs, dryRun = false, graceMs = dayMs, signal } = options;
  const now = Date.now();
  const before = new Date(now - olderThanMs).toISOString();
  const untouchedSince = new Date(now - graceMs);
  // A run may be starting on a build that was current a moment ago.
  const buildsBefore = new Date(Math.min(now - olderThanMs, now - graceMs)).toISOString();
  const { garbage } = catalog;

  const plan = await garbage.plan({ runs: before, builds: buildsBefore });
  const reasons = await reasonsToGo(plan, options);
  const gone = dryRun ? plan : await forget(plan, options, { before, buildsBefore });
  signal?.throwIfAborted();

  const expand = treeReader(store, signal);
  // In a dry run the rows are still there.
  const reached = await expand(await garbage.named(dryRun ? plan : undefined));
  const removed = tally<RemoveReason>(['run', 'build', 'unused']);
  const kept = tally<KeepReason | 'young'>(['model', 'run', 'build', 'young']);
  type Candidate = { readonly digest: Digest; readonly size: number };
  const sweep = async (candidates: readonly Candidate[]) => {
    const again = dryRun ? reached : await expand(await garbage.named());
    await eachLimited(
      candidates,
      async ({ digest, size }) => {
        const reason = again.get(digest);
        if (reason !== undefined) kept.add(reason, size);
        else if (dryRun || (await store.remove(digest, { untouchedSince })))
          removed.add(reasons.get(digest) ?? 'unused', size);
        else kept.add('young', size);
      },
      { limit: atOnce, signal },
    );
  };
  let candidates: Candidate[] = [];
  for await (const { digest, size, touchedAt } of store.blobs(signal ? { signal } : {})) {
    const reason = reached.get(digest);
    if (reason !== undefined) kept.add(reason, size);
    else if (touchedAt >= untouchedSince) kept.add('young', size);
    else candidates.push({ digest, size });
    if (candidates.length < lookAgainAfter) continue;
    await sweep(candidates);
    candidates = [];
  }
  if (candidates.length > 0) await sweep(candidates);

  const runs = gone.trees.flat();
  return {
    dryRun,
    before,
    runs: { removed: runs, kept: plan.keptRuns + plan.trees.flat().length - runs.length },
    builds: { removed: gone.builds.length },
    removed: removed.result(),
    kept: kept.result(),
  };
}

/** What the plan's rows name, while they are there. */
async function reasonsToGo(
  plan: GarbagePlan,
  { catalog: { garbage }, store, signal }: GarbageOptions,
): Promise<ReadonlyMap<Digest, RemoveReason>> {
  const expand = treeReader(store, signal);
  const reasons = new Map<Digest, RemoveReason>();
  for (const digest of (await expand(await garbage.namedByBuilds(plan.builds))).keys())
    reasons.set(digest, 'build');
  for (const digest of (await expand(await garbage.namedByRuns(plan.trees.flat()))).keys())
    reasons.set(digest, 'run');
  return reasons;
}

/** Takes the plan's rows out of the catalog. @returns what is gone: a tree that is needed after all stays */
async function forget(
  plan: GarbagePlan,
  { catalog: { garbage }, signal }: GarbageOptions,
  { before, buildsBefore }: { readonly before: string; readonly buildsBefore: string },
): Promise<Pick<GarbagePlan, 'trees' | 'builds'>> {
  const trees: (readonly string[])[] = [];
  for (const tree of plan.trees) {
    signal?.throwIfAborted();
    if (await garbage.forgetTree(tree, before)) trees.push(tree);
  }
  await garbage.forgetUnstarted(buildsBefore);
  return { trees, builds: await garbage.forgetBuilds(plan.builds) };
}

/** Adds the files of each tree; a manifest is read once. */
function treeReader(store: ArtifactStore, signal: AbortSignal | undefined) {
  const known = new Map<Digest, readonly Digest[]>();
  return async (named: NamedContent): Promise<ReadonlyMap<Digest, KeepReason>> => {
    const trees = [...named].filter(([, { type }]) => type === 'tree').map(([digest]) => digest);
    await eachLimited(
      trees.filter((digest) => !known.has(digest)),
      async (digest) => known.set(digest, await filesOf(digest, store, signal)),
      { limit: atOnce, signal },
    );
    const reached = new Map([...named].map(([digest, { reason }]) => [digest, reason]));
    for (const tree of trees) {
      const reason = named.get(tree)?.reason ?? 'run';
      for (const file of known.get(tree) ?? []) if (!reached.has(file)) reached.set(file, reason);
    }
    return reached;
  };
}

/** None of a manifest that is missing or broken: then there is nothing to keep whole. */
async function filesOf(
  digest: Digest,
  store: ArtifactStore,
  signal: AbortSignal | undefined,
): Promise<readonly Digest[]> {
  try {
    return (await store.entries(digest, signal ? { signal } : {})).map((entry) => entry.digest);
  } catch (error) {
    if (isMillraceError(error) && ['ARTIFACT_MISSING', 'ARTIFACT_CORRUPT'].includes(error.code)) return [];
    throw error;
  }
}

function tally<R extends string>(reasons: readonly R[]) {
  const amounts = new Map<R, { blobs: number; bytes: number }>(
    reasons.map((reason) => [reason, { blobs: 0, bytes: 0 }]),
  );
  return {
    add(reason: R, bytes: number): void {
      const amount = amounts.get(reason) ?? { blobs: 0, bytes: 0 };
      amount.blobs += 1;
      amount.bytes += bytes;
      amounts.set(reason, amount);
    },
    result(): Amount & { readonly byReason: Readonly<Record<R, Amount>> } {
      const all = [...amounts.values()];
      return {
        blobs: all.reduce((sum, { blobs }) => sum + blobs, 0),
        bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
        byReason: Object.fromEntries(amounts) as Record<R, Amount>,
      };
    },
  };
}
