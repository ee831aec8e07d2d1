import { readdir } from 'node:fs/promises';
import { formatBytes } from '../../sdk/bytes.js';
import { isMillraceError } from '../../sdk/errors.js';
import type { CheckpointRecord } from '../../store/checkpoints.js';
import { localCheckpoints, takeCheckpoint } from '../carry-checkpoint.js';
import { isOfWork } from '../work-key.js';
import type { CheckpointPlace } from './checkpoint-place.js';
import { checkpointFolder, tell } from './checkpoint-place.js';

/**
 * Puts the newest checkpoint of earlier attempts into the attempt's folder, before its program starts: what lies on this host,
 * unless a later attempt stored one elsewhere. Of a stored one that is missing or broken the one before is taken; where none is
 * whole, or where the step was repaired to work on or with something else, the program begins anew.
 */
export async function restoreCheckpoint(place: CheckpointPlace): Promise<void> {
  const { run, path: step, attempt, work, folder, env } = place;
  const isSame = isOfWork(work);
  if (attempt === 1) return;
  if (await hasOwn(place)) {
    tell(place, {
      kind: 'checkpoint-restored',
      text: 'goes on from what was taken over for this attempt before',
    });
    return;
  }
  const here = await localCheckpoints(folder);
  const listed = (await env.catalog.checkpoints.list(run, step)).filter((each) => each.attempt < attempt);
  const local = here.find(isSame);
  const stored = listed.filter(isSame);
  tellOfOthers(place, [...here, ...listed]);
  for (const checkpoint of stored) {
    if (local && local.attempt >= checkpoint.attempt) break;
    if (await isPlaced(place, checkpoint)) return;
  }
  if (!local) {
    if (stored.length > 0)
      tell(place, { kind: 'checkpoint-lost', text: 'no checkpoint is whole: begins anew' });
    return;
  }
  await takeCheckpoint(local, folder);
  tell(place, {
    kind: 'checkpoint-restored',
    text: `goes on from what attempt ${local.attempt} left on this host`,
    data: { attempt: local.attempt },
  });
}

type Found = { readonly attempt: number; readonly work?: string };

/** The newest is not gone on from in silence. */
function tellOfOthers(place: CheckpointPlace, found: readonly Found[]): void {
  const newest = Math.max(...found.map((each) => each.attempt));
  const ofNewest = found.filter((each) => each.attempt === newest);
  if (ofNewest.length === 0 || ofNewest.some(isOfWork(place.work))) return;
  tell(place, {
    kind: 'checkpoint-left-aside',
    text: `the checkpoint of attempt ${newest} is of another input, source or image: it is left aside`,
    data: { attempt: newest },
  });
}

/** Of an earlier delivery, that did not come to its program's start. */
const hasOwn = (place: CheckpointPlace): Promise<boolean> =>
  readdir(checkpointFolder(place)).then(
    (names) => names.length > 0,
    () => false,
  );

async function isPlaced(place: CheckpointPlace, checkpoint: CheckpointRecord): Promise<boolean> {
  const { attempt, sequence, digest, size, at } = checkpoint;
  const what = `checkpoint ${sequence} of attempt ${attempt}`;
  try {
    await place.env.store.place({ digest, type: 'tree' }, checkpointFolder(place), { mode: 'copy' });
  } catch (error) {
    if (!isMillraceError(error) || !lost.has(error.code)) throw error;
    place.env.logger.warn(
      { run: place.run, step: place.path, attempt: place.attempt, err: error },
      `${what} is lost`,
    );
    tell(place, {
      kind: 'checkpoint-lost',
      text: `${what} is ${error.code === 'ARTIFACT_MISSING' ? 'missing in' : 'broken in'} the store`,
      data: { attempt, sequence, digest },
    });
    return false;
  }
  const ageSeconds = Math.round((Date.now() - Date.parse(at)) / 1_000);
  tell(place, {
    kind: 'checkpoint-restored',
    text: `goes on from ${what} (${formatBytes(size)}), stored ${ageSeconds} s before`,
    data: { attempt, sequence, digest, size, at, ageSeconds },
  });
  return true;
}

const lost: ReadonlySet<string> = new Set(['ARTIFACT_MISSING', 'ARTIFACT_CORRUPT']);
