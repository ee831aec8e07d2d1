import type { MillraceError, MillraceErrorOptions } from '../errors.js';
import { isMillraceError, rebuildError } from '../errors.js';

/** An error as it crosses processes and Temporal's history: JSON. */
export type FailureInfo = Pick<MillraceErrorOptions, 'run' | 'step' | 'attempt' | 'hint' | 'fields'> & {
  readonly code: string;
  readonly what: string;
};

/** Which of our errors another attempt may cure. Decided here and nowhere else. */
const retryableCodes: ReadonlySet<string> = new Set([
  'STEP_FAILED', 'STEP_TIMEOUT', 'STEP_OUTPUT_MISSING', 'OUT_OF_MEMORY', 'INFRASTRUCTURE_FAILED', 'DOCKER_UNAVAILABLE', 'TEMPORAL_UNAVAILABLE', 'DEPENDENCIES_FAILED',
]); // prettier-ignore

/** Errors that are not ours are taken for infrastructure and retried, but for a step that said `retryable: false`. */
export const isRetryable = (error: unknown): boolean =>
  !isMillraceError(error) || (retryableCodes.has(error.code) && error.fields['retryable'] !== false);

/** Failures that are not the author's: they have a budget of their own. */
export const isInfrastructure = (error: unknown): boolean =>
  !isMillraceError(error) ||
  ['INFRASTRUCTURE_FAILED', 'DOCKER_UNAVAILABLE', 'TEMPORAL_UNAVAILABLE'].includes(error.code);

export function toFailureInfo(error: MillraceError): FailureInfo {
  const { code, what, place, hint, fields } = error;
  return { code, what, ...place, hint, fields };
}

export function fromFailureInfo(info: FailureInfo, cause?: unknown): MillraceError {
  const { code, what, ...options } = info;
  return rebuildError(code, what, { ...options, cause });
}
