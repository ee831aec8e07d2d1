import { bytes } from './bytes.js';
import { durationMs } from './duration.js';
import { DefinitionInvalid } from './errors.js';
import type { CheckpointOptions } from './step-options.js';

/** How a step's checkpoint is stored while it runs, as JSON with every default filled in. */
export type CheckpointSpec = {
  readonly everyMs: number;
  /** Bytes. */
  readonly maximum: number;
};

export const defaultCheckpoint: CheckpointSpec = { everyMs: 30_000, maximum: 10 * 2 ** 30 };

type Checkpointed = {
  readonly name: string;
  readonly checkpoint?: boolean | CheckpointOptions;
};

/**
 * What a step says of its checkpoint: false where none is stored.
 * @throws DefinitionInvalid for an option that cannot be
 */
export function checkpointSpec(
  { name, checkpoint = true }: Checkpointed,
  { inWorker }: { readonly inWorker: boolean },
): CheckpointSpec | false {
  if (checkpoint === false) return false;
  if (checkpoint === true) return inWorker ? false : defaultCheckpoint;
  if (inWorker) {
    throw new DefinitionInvalid(`Step \`${name}\` has \`checkpoint\`, but runs inside the worker.`, {
      hint: 'Only steps in a container or a process keep a checkpoint: leave `checkpoint` out.',
    });
  }
  const { every, maximum, ...rest } = checkpoint;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new DefinitionInvalid(`Step \`${name}\` has the unknown option \`checkpoint.${unknown}\`.`, {
      hint: 'Its options: every, maximum.',
    });
  }
  const where = (option: string) => `checkpoint.${option}\` of step \`${name}`;
  const everyMs = every === undefined ? defaultCheckpoint.everyMs : durationMs(every, where('every'));
  if (everyMs < 1_000) {
    throw new DefinitionInvalid(`Step \`${name}\` has a \`checkpoint.every\` of ${everyMs} ms.`, {
      hint: "Give a second or more: `checkpoint: { every: '10s' }`.",
    });
  }
  return {
    everyMs,
    maximum: maximum === undefined ? defaultCheckpoint.maximum : bytes(maximum, where('maximum')),
  };
}
