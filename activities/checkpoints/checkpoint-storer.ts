import { isMillraceError } from '../../sdk/errors.js';
import { formatBytes } from '../../sdk/bytes.js';
import type { StoredArtifact, StoreOptions } from '../../store/artifact-store.js';
import { removeTree } from '../remove-tree.js';
import type { CheckpointPlace } from './checkpoint-place.js';
import { checkpointFolder, pinnedFolder, tell } from './checkpoint-place.js';
import type { FolderLook } from './look-at-folder.js';
import { lookAtFolder } from './look-at-folder.js';
import { pinFolder } from './pin-folder.js';

/**
 * What came of one try. `none`: nothing new to store. `moving`: the program was writing to it. `superseded`: another attempt has
 * the step.
 */
export type StoreOutcome = 'none' | 'moving' | 'superseded' | 'stored' | 'failed';

/** Stores one attempt's checkpoint as it stands, as often as it is asked to. */
export interface CheckpointStorer {
  /** Never rejects: a checkpoint that cannot be stored is told of, once for each reason, and costs the step nothing. */
  store(options: StoreOptions & { readonly atEnd: boolean }): Promise<StoreOutcome>;
  /** Tells of a reason why it was not stored, once. */
  complain(reason: string): void;
}

/** Written to within this time before a look it counts as being written, ms: times of files are only so fine. */
const settleMs = 100;

export function checkpointStorer(place: CheckpointPlace, maximum: number): CheckpointStorer {
  const { run, path, attempt, env } = place;
  const folder = checkpointFolder(place);
  let last: { readonly look: FolderLook; readonly known: Known } | undefined;
  let told = 0;
  const complaints = new Set<string>();

  function complain(reason: string, error?: unknown): 'failed' {
    if (complaints.has(reason)) return 'failed';
    complaints.add(reason);
    env.logger.warn({ run, step: path, attempt, err: error }, `checkpoint not stored: ${reason}`);
    tell(place, { kind: 'checkpoint-not-stored', text: `not stored: ${reason}` });
    return 'failed';
  }

  async function tryToStore({ signal, atEnd }: Asked): Promise<StoreOutcome> {
    const options = signal ? { signal } : {};
    const look = await lookAtFolder(folder, options);
    if (!look || look.fingerprint === last?.look.fingerprint) return 'none';
    if (look.size > maximum)
      return complain(
        `it has ${formatBytes(look.size)}, more than the ${formatBytes(maximum)} of \`checkpoint.maximum\``,
      );
    if (!atEnd && Date.now() - look.writtenAt < settleMs) return 'moving';
    const stored = await storeSeen(place, look, { ...options, known: last?.known ?? new Map() });
    if ((await lookAtFolder(folder, options))?.fingerprint !== look.fingerprint) return 'moving';
    const { digest, size } = stored;
    const sequence = await env.catalog.checkpoints.add({ run, path, attempt, digest, size, at: new Date().toISOString() }); // prettier-ignore
    if (sequence === undefined) return 'superseded';
    last = { look, known: await contentOf(place, { look, stored }, options) };
    if (atEnd || told === 0)
      tell(place, {
        kind: 'checkpoint-stored',
        text: `stored ${atEnd ? 'its last checkpoint' : 'a checkpoint'} of ${formatBytes(size)}`,
        data: { sequence, digest, size },
      });
    told += 1;
    return 'stored';
  }

  return {
    complain,
    async store(asked) {
      try {
        return await tryToStore(asked);
      } catch (error) {
        if (asked.signal?.aborted) return asked.atEnd ? complain('it took too long') : 'failed';
        if (isMoving(error)) return 'moving';
        return complain(isMillraceError(error) ? error.what : String(error), error);
      }
    },
  };
}

type Asked = StoreOptions & { readonly atEnd: boolean };
/** Of files by path, what they hold. */
type Known = ReadonlyMap<
  string,
  { readonly identity: string; readonly digest: `sha256:${string}`; readonly size: number }
>;

/** What has not changed since it was stored is not read again. */
async function storeSeen(
  place: CheckpointPlace,
  look: FolderLook,
  { known, ...options }: StoreOptions & { readonly known: Known },
): Promise<StoredArtifact> {
  const pinned = pinnedFolder(place);
  try {
    // Of a worker that died meanwhile.
    await removeTree(pinned);
    await pinFolder(look, { folder: checkpointFolder(place), target: pinned, ...options });
    const unchanged = look.files.flatMap(({ path, identity }) => {
      const before = known.get(path);
      return before?.identity === identity ? [[path, before] as const] : [];
    });
    return await place.env.store.put(pinned, { ...options, known: new Map(unchanged) });
  } finally {
    await removeTree(pinned);
  }
}

async function contentOf(
  { env }: CheckpointPlace,
  { look, stored }: { readonly look: FolderLook; readonly stored: StoredArtifact },
  options: StoreOptions,
): Promise<Known> {
  const identities = new Map(look.files.map(({ path, identity }) => [path, identity]));
  // Without it all is read again: it is stored all the same.
  const entries = await env.store.entries(stored.digest, options).catch(() => []);
  return new Map(
    entries.map(({ path, digest, size }) => [path, { identity: identities.get(path) ?? '', digest, size }]),
  );
}

/** Something was replaced or removed between two looks at it. */
const isMoving = (error: unknown): boolean =>
  isMillraceError(error)
    ? error.code === 'UNSAFE_OUTPUT' && error.fields['reason'] === undefined
    : ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
