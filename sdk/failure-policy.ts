import type { Duration } from './duration.js';
import { durationMs } from './duration.js';
import { DefinitionInvalid } from './errors.js';

/**
 * What becomes of a step whose attempts are used up. `fail`: its call throws. `park`: the run waits at it for
 * `millrace repair`, its siblings go on; after `deadline` it fails (default: never).
 */
export type OnFailure = 'fail' | 'park' | { readonly park: { readonly deadline?: Duration } };

/** As JSON. */
export type FailurePolicy = { readonly park: boolean; readonly deadlineMs?: number };

/** @throws DefinitionInvalid for anything else */
export function failurePolicy(given: OnFailure | undefined, where: string): FailurePolicy | undefined {
  if (given === undefined) return undefined;
  if (given === 'fail') return { park: false };
  if (given === 'park') return { park: true };
  if (typeof given === 'object' && typeof given.park === 'object' && Object.keys(given).length === 1) {
    const { deadline, ...rest } = given.park;
    if (Object.keys(rest).length === 0)
      return {
        park: true,
        ...(deadline !== undefined && {
          deadlineMs: durationMs(deadline, `onFailure.park.deadline\` of ${where}`),
        }),
      };
  }
  throw new DefinitionInvalid(`${where} has \`onFailure: ${JSON.stringify(given)}\`.`, {
    hint: "Use 'fail', 'park' or { park: { deadline: '3 days' } }.",
  });
}
