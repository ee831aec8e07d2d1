import type { MillraceError, MillraceErrorOptions } from '../errors.js';
import { rebuildError } from '../errors.js';

/** An error as it crosses processes and Temporal's history: JSON. */
export type FailureInfo = Pick<MillraceErrorOptions, 'run' | 'step' | 'attempt' | 'hint' | 'fields'> & {
  readonly code: string;
  readonly what: string;
};

/** Which of our errors another attempt may cure. Decided here and nowhere else. */
const retryableCodes: ReadonlySet<string> = new Set([
  'STEP_FAILED', 'STEP_TIMEOUT', 'STEP_OUTPUT_MISSING', 'OUT_OF_MEMORY', 'INFRASTRUCTURE_FAILED', 'DOCKER_UNAVAILABLE', 'TEMPORAL_UNAVAILABLE', 'STORE_UNAVAILABLE', 'DEPENDENCIES_FAILED',
]); // prettier-ignore

/** Whether another attempt may help; a step that said `retryable: false` is believed. */
export const isRetryable = (error: MillraceError): boolean =>
  retryableCodes.has(error.code) && error.fields['retryable'] !== false;

/** Failures that are not the author's: they have a budget of their own. */
export const isInfrastructure = ({ code }: { readonly code: string }): boolean =>
  ['INFRASTRUCTURE_FAILED', 'DOCKER_UNAVAILABLE', 'TEMPORAL_UNAVAILABLE', 'STORE_UNAVAILABLE'].includes(code);

export function toFailureInfo(error: MillraceError): FailureInfo {
  const { code, what, place, hint, fields } = error;
  return { code, what, ...place, hint, fields };
}

export function fromFailureInfo(info: FailureInfo, cause?: unknown): MillraceError {
  const { code, what, ...options } = info;
  return rebuildError(code, what, { ...options, cause });
}
