import { formatBytes } from '../sdk/bytes.js';
import type { FailureKind } from '../sdk/failure-kind.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import { failureKind, isInfrastructure } from '../sdk/protocol/failure.js';
import type { KindSpec, RetrySpec } from '../sdk/retry-policy.js';

/** How one attempt of a step ended. */
export type FailedAttempt = {
  readonly failure: FailureInfo;
  /** From its delivery to its end, ms. */
  readonly lastedMs: number;
};

export type RetryDecision =
  | {
      readonly again: true;
      readonly kind: FailureKind;
      readonly waitMs: number;
      /** Bytes the next attempt gets. */
      readonly memory: number;
      readonly reason: string;
    }
  | { readonly again: false; readonly kind: FailureKind; readonly reason: string };

/**
 * Whether a step is tried again after its latest failure, when, and with how much memory: the whole retry policy, without
 * effects. The wait is `initial × backoff^(n-1)`, at most `maximum`, less a random share (`jitter`) of it.
 * @param failures of this step since it was called or repaired, oldest first; at least one
 * @param memory bytes the latest attempt had
 * @param random from 0 to 1
 */
export function decideRetry(
  retry: RetrySpec,
  {
    failures,
    memory,
    random,
  }: { readonly failures: readonly FailedAttempt[]; readonly memory: number; readonly random: number },
): RetryDecision {
  const last = failures.at(-1)?.failure ?? { code: '', what: '' };
  const kind = failureKind(last);
  const no = (reason: string): RetryDecision => ({ again: false, kind, reason });
  if (kind === 'non_retryable') return no('no other attempt would cure it');
  if (kind === 'timeout' && last.fields?.['limit'] === 'step')
    return no('the time of the whole step is over');
  const exitCode = last.fields?.['exitCode'];
  if (kind === 'user_error' && typeof exitCode === 'number' && retry.finalExitCodes.includes(exitCode))
    return no(`exit code ${exitCode} is final`);

  const policy = retry.kinds[kind] ?? retry;
  const count = countOf(kind, retry, failures);
  if (count >= policy.attempts) return no(usedUp(policy, count, last));
  const all = failures.filter(({ failure }) => failureKind(failure) === kind).length;
  if (all >= policy.attempts * mostRows) return no(`${all} attempts ended so in all (${last.code})`);

  const more = kind === 'out_of_memory' ? retry.moreMemory : undefined;
  if (more && memory >= more.max) return no(`${formatBytes(memory)} is the most it may have`);
  const next = more ? Math.min(more.max, Math.round(memory * more.factor)) : memory;
  return {
    again: true,
    kind,
    // A worker that was lost says nothing against the next one; when it happens again, something may be wrong.
    waitMs: kind === 'worker_lost' && count === 1 ? 0 : waitOf(policy, count, random),
    memory: next,
    reason: reasonOf(kind, memory, next),
  };
}

/** Failures that count against the policy of a kind. */
function countOf(kind: FailureKind, retry: RetrySpec, failures: readonly FailedAttempt[]): number {
  const kindOf = ({ failure }: FailedAttempt) => failureKind(failure);
  if (isInfrastructure(failures.at(-1)?.failure ?? { code: '' })) {
    // In a row: an attempt that lasted says that things had got better meanwhile.
    const since = failures.findLastIndex(({ lastedMs }) => lastedMs > longLastedMs);
    return failures.slice(Math.max(0, since)).filter((each) => kindOf(each) === kind).length;
  }
  if (retry.kinds[kind]) return failures.filter((each) => kindOf(each) === kind).length;
  const shared = (each: FailedAttempt) => !retry.kinds[kindOf(each)] && !isInfrastructure(each.failure);
  return failures.filter(shared).length;
}

const longLastedMs = 600_000;
/** How often the count may begin anew: waiting long for a worker looks like lasting. */
const mostRows = 10;

const usedUp = ({ attempts }: KindSpec, count: number, { code }: FailureInfo): string =>
  attempts === 1 && count === 1
    ? 'no retry is asked for'
    : `${count} of ${attempts} attempts ended so (${code})`;

function waitOf(policy: KindSpec, count: number, random: number): number {
  const { initialIntervalMs, backoff, maximumIntervalMs, jitter } = policy;
  const wait = Math.min(maximumIntervalMs, initialIntervalMs * backoff ** (count - 1));
  return Math.round(wait * (1 - jitter * random));
}

const words: Readonly<Record<FailureKind, string>> = {
  user_error: 'its code failed',
  non_retryable: 'it failed for good',
  out_of_memory: 'it ran out of memory',
  timeout: 'its time was over',
  preempted: 'it was stopped from outside',
  worker_lost: 'its worker was lost',
  infrastructure: 'infrastructure broke under it',
};

function reasonOf(kind: FailureKind, memory: number, next: number): string {
  if (kind !== 'out_of_memory') return words[kind];
  const had = `it ran out of its ${formatBytes(memory)} of memory`;
  return next > memory ? `${had}; the next has ${formatBytes(next)}` : had;
}
