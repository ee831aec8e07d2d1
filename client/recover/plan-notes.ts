import { isMillraceError } from '../../sdk/errors.js';
import { sentence } from '../../sdk/sentence.js';
import type { Ended, PlanRecoveryOptions } from './plan-recovery.js';

/** Waiting for less is not worth a word. */
const shortMs = 1_000;

/** What a plan cannot be certain of, in sentences. */
export function planNotes({ plan, specs }: PlanRecoveryOptions, ended: Ended): readonly string[] {
  const { root, granted, waiting, sleptMs, endless } = ended;
  const notes: string[] = [];
  if (granted.length > 0)
    notes.push(
      `What comes after ${listed(granted)} is planned as if nothing of what it gives changed: with other results the pipeline may go another way.`,
    );
  if (waiting.length > 0)
    notes.push(`What the pipeline does after ${listed(waiting)} is known only when that has a result.`);
  if (root.ended?.error !== undefined && granted.length === 0)
    notes.push(`The run will end so again: ${sentence(errorWords(root.ended.error))}`);
  if (sleptMs >= shortMs)
    notes.push(
      `Where the pipeline sleeps, the new run sleeps again: ${Math.round(sleptMs / 1_000)} s in all.`,
    );
  if (endless) notes.push('The pipeline goes on waiting without an end: what comes later is not planned.');
  if (!plan && specs.some(({ isolation, image }) => isolation === 'container' && image))
    notes.push("No worker could be asked for today's images: they are compared as they are written.");
  return notes;
}

const errorWords = (error: unknown): string =>
  isMillraceError(error)
    ? `${error.code}: ${error.what}`
    : error instanceof Error
      ? error.message
      : String(error);

const most = 3;
const listed = (labels: readonly string[]): string =>
  labels.length > most
    ? `${labels.slice(0, most).join(', ')} and ${labels.length - most} more`
    : labels.join(', ');
