import { readdir } from 'node:fs/promises';
import { formatBytes } from '../../sdk/bytes.js';
import { isMillraceError } from '../../sdk/errors.js';
import type { CheckpointRecord } from '../../store/checkpoints.js';
import { localCheckpoint, takeCheckpoint } from '../carry-checkpoint.js';
import type { CheckpointPlace } from './checkpoint-place.js';
import { checkpointFolder, tell } from './checkpoint-place.js';

/**
 * Puts the newest checkpoint of earlier attempts into the attempt's folder, before its program starts: what lies on this host,
 * unless a later attempt stored one elsewhere. Of a stored one that is missing or broken the one before is taken; where none is
 * whole the program begins anew.
 */
export async function restoreCheckpoint(place: CheckpointPlace): Promise<void> {
  const { run, path: step, attempt, folder, env } = place;
  if (attempt === 1) return;
  if (await hasOwn(place)) {
    tell(place, {
      kind: 'checkpoint-restored',
      text: 'goes on from what was taken over for this attempt before',
    });
    return;
  }
  const local = await localCheckpoint(folder);
  const stored = (await env.catalog.checkpoints.list(run, step)).filter((each) => each.attempt < attempt);
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
