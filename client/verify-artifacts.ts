import type { ContentType, Digest } from '../sdk/artifact.js';
import { isMillraceError, UnknownRun } from '../sdk/errors.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import { eachLimited } from '../store/each-limited.js';
import { typeOf } from './artifact-views.js';
import type { ClientParts } from './client-parts.js';
import { resolveDigest } from './resolve-digest.js';

export type VerifyOptions = {
  /** Digests, or beginnings of them. */
  readonly digests?: readonly string[];
  /** What this run named. */
  readonly run?: string;
  readonly signal?: AbortSignal;
};

export type VerifyReport = {
  /** Digests that were looked at: artifacts, and the files of trees. */
  readonly checked: number;
  readonly bad: readonly {
    readonly digest: Digest;
    readonly code: 'ARTIFACT_MISSING' | 'ARTIFACT_CORRUPT';
    readonly message: string;
    /** The trees it belongs to. */
    readonly trees: readonly Digest[];
  }[];
};

type Named = { readonly digest: Digest; readonly type: ContentType };
const atOnce = 8;

/** Reads everything that is asked for, and names what is missing or has changed. */
export async function verifyArtifacts(parts: ClientParts, options: VerifyOptions): Promise<VerifyReport> {
  const { store } = parts;
  const { signal } = options;
  const stop = signal ? { signal } : {};
  const files = new Map<Digest, Set<Digest>>();
  const bad = new Map<Digest, VerifyReport['bad'][number]>();
  const check = async (digest: Digest, look: () => Promise<void>) => {
    const problem = await problemOf(look);
    if (problem) bad.set(digest, { digest, ...problem, trees: [...(files.get(digest) ?? [])] });
  };
  const wanted = await contentOf(parts, options);
  for (const { digest, type } of wanted) {
    if (type === 'file') files.set(digest, files.get(digest) ?? new Set());
    else await check(digest, () => addEntries(digest, files, { store, ...stop }));
  }
  await eachLimited(
    [...files.keys()],
    (digest) => check(digest, () => store.verify({ digest, type: 'file' }, stop)),
    { limit: atOnce, signal },
  );
  const trees = wanted.filter(({ type }) => type === 'tree').length;
  return { checked: files.size + trees, bad: [...bad.values()] };
}

async function addEntries(
  tree: Digest,
  files: Map<Digest, Set<Digest>>,
  { store, ...options }: { readonly store: ArtifactStore; readonly signal?: AbortSignal },
): Promise<void> {
  for (const { digest } of await store.entries(tree, options))
    files.set(digest, (files.get(digest) ?? new Set()).add(tree));
}

async function contentOf(parts: ClientParts, { digests, run }: VerifyOptions): Promise<readonly Named[]> {
  const { catalog } = parts;
  if (digests) {
    return Promise.all(
      digests.map(async (text): Promise<Named> => {
        const digest = await resolveDigest(text, parts);
        const type = await typeOf(digest, parts).catch((error: unknown) => {
          if (isMillraceError(error) && badCodes.has(error.code)) return 'file' as const;
          throw error;
        });
        return { digest, type };
      }),
    );
  }
  if (run !== undefined && !(await catalog.run(run)))
    throw new UnknownRun(`There is no run \`${run}\`.`, { hint: 'See `millrace runs`.' });
  const named = await (run === undefined ? catalog.garbage.named() : catalog.garbage.namedByRuns([run]));
  return [...named].map(([digest, { type }]) => ({ digest, type }));
}

async function problemOf(
  look: () => Promise<void>,
): Promise<Pick<VerifyReport['bad'][number], 'code' | 'message'> | undefined> {
  try {
    await look();
    return undefined;
  } catch (error) {
    if (!isMillraceError(error)) throw error;
    const { code, message } = error;
    if (code === 'ARTIFACT_MISSING' || code === 'ARTIFACT_CORRUPT') return { code, message };
    throw error;
  }
}

const badCodes: ReadonlySet<string> = new Set(['ARTIFACT_MISSING', 'ARTIFACT_CORRUPT']);
