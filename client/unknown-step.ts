import { UnknownStep } from '../sdk/errors.js';
import { nearestName } from './nearest-name.js';

export type MissingStep = {
  readonly run: string;
  /** As it was asked for. */
  readonly path: string;
  /** Paths of the steps that there are. */
  readonly known: readonly string[];
};

/** A run has no such step; names the one that was probably meant. */
export function unknownStep({ run, path, known }: MissingStep): UnknownStep {
  const nearest = nearestName(path, known);
  return new UnknownStep(`Run \`${run}\` has no step \`${path}\`.`, {
    run,
    hint: `${nearest === undefined ? '' : `Did you mean \`${nearest}\`? `}Its steps: ${shown(known)}.`,
    fields: { known },
  });
}

const mostShown = 20;

const shown = (known: readonly string[]): string =>
  known.length === 0
    ? 'none'
    : `${known.slice(0, mostShown).join(', ')}${known.length > mostShown ? ' …' : ''}`;
