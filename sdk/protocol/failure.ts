import type { MillraceError, MillraceErrorOptions } from '../errors.js';
import { rebuildError } from '../errors.js';
import type { FailureKind } from '../failure-kind.js';

/** An error as it crosses processes and Temporal's history: JSON. */
export type FailureInfo = Pick<MillraceErrorOptions, 'run' | 'step' | 'attempt' | 'hint' | 'fields'> & {
  readonly code: string;
  readonly what: string;
};

/** What each error is, where it is not `non_retryable`. Decided here and nowhere else. */
const kinds: Readonly<Record<string, FailureKind>> = {
  STEP_FAILED: 'user_error',
  STEP_OUTPUT_MISSING: 'user_error',
  DEPENDENCIES_FAILED: 'user_error',
  OUT_OF_MEMORY: 'out_of_memory',
  STEP_TIMEOUT: 'timeout',
  ATTEMPT_PREEMPTED: 'preempted',
  ATTEMPT_HANDED_OVER: 'preempted',
  WORKER_LOST: 'worker_lost',
  ATTEMPT_LOST: 'worker_lost',
  ATTEMPT_SUPERSEDED: 'worker_lost',
  INFRASTRUCTURE_FAILED: 'infrastructure',
  DOCKER_UNAVAILABLE: 'infrastructure',
  TEMPORAL_UNAVAILABLE: 'infrastructure',
  STORE_UNAVAILABLE: 'infrastructure',
};

/** The kind of a failure; a step that said `retryable: false` is believed. */
export const failureKind = ({ code, fields }: Pick<FailureInfo, 'code' | 'fields'>): FailureKind =>
  fields?.['retryable'] === false ? 'non_retryable' : (kinds[code] ?? 'non_retryable');

/** Whether another attempt may help. */
export const isRetryable = (error: Pick<FailureInfo, 'code' | 'fields'>): boolean =>
  failureKind(error) !== 'non_retryable';

/** Failures that are not the author's: they have budgets of their own. */
export const isInfrastructure = (error: Pick<FailureInfo, 'code' | 'fields'>): boolean =>
  ownKinds.has(failureKind(error));

const ownKinds: ReadonlySet<FailureKind> = new Set(['preempted', 'worker_lost', 'infrastructure']);

export function toFailureInfo(error: MillraceError): FailureInfo {
  const { code, what, place, hint, fields } = error;
  return { code, what, ...place, hint, fields };
}

export function fromFailureInfo(info: FailureInfo, cause?: unknown): MillraceError {
  const { code, what, ...options } = info;
  return rebuildError(code, what, { ...options, cause });
}
