import type { Digest } from '../sdk/artifact.js';
import type { StepTask } from '../sdk/protocol/messages.js';
import { canonicalDigest } from '../store/canonical-digest.js';

/**
 * What a step works on and with, whatever it may take for that: an attempt goes on from the checkpoint of another one only where
 * both have it in common.
 */
export const workKey = ({ spec, image, input }: StepTask): Digest =>
  canonicalDigest([
    spec.command ?? null,
    spec.code?.digest ?? null,
    spec.source?.digest ?? null,
    image?.id ?? null,
    input ?? null,
  ]);

/** Whether a checkpoint is of that work. Of builds of before it was kept nobody knows: then it counts. */
export const isOfWork =
  (work: string) =>
  (checkpoint: { readonly work?: string }): boolean =>
    checkpoint.work === undefined || checkpoint.work === work;
