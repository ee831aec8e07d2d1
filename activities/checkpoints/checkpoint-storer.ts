import { setTimeout as pause } from 'node:timers/promises';
import { formatBytes } from '../../sdk/bytes.js';
import { isMillraceError } from '../../sdk/errors.js';
import type { StoredArtifact, StoreOptions } from '../../store/artifact-store.js';
import { removeTree } from '../remove-tree.js';
import type { CheckpointPlace } from './checkpoint-place.js';
import { checkpointFolder, pinnedFolder, tell } from './checkpoint-place.js';
import type { FolderLook } from './look-at-folder.js';
import { lookAtFolder } from './look-at-folder.js';
import { isAsPinned, pinFolder } from './pin-folder.js';

/**
 * What came of one try. `none`: nothing new to store. `moving`: the program was writing to it. `superseded`: another attempt has
 * the step.
 */
export type StoreOutcome = 'none' | 'moving' | 'superseded' | 'stored' | 'failed';

export type StoreAsked = StoreOptions & {
  /** Leave a folder alone that was written to a moment ago: its program may be in the midst of a file. */
  readonly calm: boolean;
  /** The program has ended: the timeline says which one was stored last. */
  readonly last?: boolean;
};

/** Stores one attempt's checkpoint as it stands, as often as it is asked to. */
export interface CheckpointStorer {
  /** Never rejects: a checkpoint that cannot be stored is told of, once for each reason, and costs the step nothing. */
  store(asked: StoreAsked): Promise<StoreOutcome>;
  /** Tells of a reason why it was not stored, once. */
  complain(reason: string): void;
}

const calmMs = 100;
/** What is written within one tick of the system's clock has the same time, ms. */
const tickMs = 20;
/** A folder is pinned in a moment: where something was renamed just then, the next one will do. */
const mostPins = 5;

export function checkpointStorer(place: CheckpointPlace, maximum: number): CheckpointStorer {
  const { run, path, attempt, work, env } = place;
  const folder = checkpointFolder(place);
  let last: { readonly fingerprint: string; readonly known: Known } | undefined;
  let told: number | undefined;
  let newest: { readonly sequence: number; readonly stored: StoredArtifact } | undefined;
  const complaints = new Set<string>();

  function complain(reason: string, error?: unknown): 'failed' {
    if (complaints.has(reason)) return 'failed';
    complaints.add(reason);
    env.logger.warn({ run, step: path, attempt, err: error }, `checkpoint not stored: ${reason}`);
    tell(place, { kind: 'checkpoint-not-stored', text: `not stored: ${reason}` });
    return 'failed';
  }

  function tellNewest(which: string): void {
    if (!newest || newest.sequence === told) return;
    const { sequence, stored: { digest, size } } = newest; // prettier-ignore
    told = sequence;
    const text = `stored ${which} of ${formatBytes(size)}`;
    tell(place, { kind: 'checkpoint-stored', text, data: { sequence, digest, size } });
  }

  async function tryToStore({ calm, last: atEnd = false, ...options }: StoreAsked): Promise<StoreOutcome> {
    for (let pins = 1; pins <= mostPins; pins += 1) {
      const look = await lookAtFolder(folder, options);
      if (!look || look.fingerprint === last?.fingerprint) return 'none';
      if (look.size > maximum) return complain(tooLarge(look.size, maximum));
      const age = Date.now() - look.writtenAt;
      if (calm && age < calmMs) return 'moving';
      if (!(await isPinned(place, look, options))) continue;
      // Only what is written to from now on would go unseen otherwise.
      if (age < tickMs) await pause(tickMs);
      const outcome = await storePinned(look, options);
      if (told === undefined && !atEnd) tellNewest('a checkpoint');
      return outcome;
    }
    return 'moving';
  }

  async function storePinned(look: FolderLook, options: StoreOptions): Promise<StoreOutcome> {
    const pinned = pinnedFolder(place);
    const unchanged = look.files.flatMap(({ path: name, identity }) => {
      const before = last?.known.get(name);
      return before?.identity === identity ? [[name, before] as const] : [];
    });
    const stored = await env.store.put(pinned, { ...options, known: new Map(unchanged) });
    if (!(await isAsPinned(look, pinned))) return 'moving';
    const { digest, size } = stored;
    const at = new Date().toISOString();
    const sequence = await env.catalog.checkpoints.add({ run, path, attempt, work, digest, size, at });
    if (sequence === undefined) return 'superseded';
    newest = { sequence, stored };
    last = { fingerprint: look.fingerprint, known: await contentOf(place, { look, stored }, options) };
    return 'stored';
  }

  return {
    complain,
    async store(asked) {
      try {
        return await tryToStore(asked);
      } catch (error) {
        if (asked.signal?.aborted) return 'failed';
        if (isMoving(error)) return 'moving';
        return complain(isMillraceError(error) ? error.what : String(error), error);
      } finally {
        if (asked.last) tellNewest('its last checkpoint');
        await removeTree(pinnedFolder(place));
      }
    },
  };
}

const tooLarge = (size: number, maximum: number): string =>
  `it has ${formatBytes(size)}, more than the ${formatBytes(maximum)} of \`checkpoint.maximum\``;

/** Of files by path, what they hold. */
type Known = ReadonlyMap<
  string,
  { readonly identity: string; readonly digest: StoredArtifact['digest']; readonly size: number }
>;

/** Whether all that was seen has a second name now, and nothing had changed until then: a moment of the folder as a whole. */
async function isPinned(place: CheckpointPlace, look: FolderLook, options: StoreOptions): Promise<boolean> {
  const [folder, target] = [checkpointFolder(place), pinnedFolder(place)];
  try {
    await removeTree(target);
    await pinFolder(look, { folder, target, ...options });
    return (await lookAtFolder(folder, options))?.fingerprint === look.fingerprint;
  } catch (error) {
    if (isMoving(error)) return false;
    throw error;
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
