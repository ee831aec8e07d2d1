import type { FailureInfo } from '../../../sdk/protocol/failure.js';
import type { RetryPolicy } from '../../../sdk/retry-policy.js';
import { retrySpec } from '../../../sdk/retry-policy.js';
import type { FailedAttempt } from '../../../workflows/retry-decision.js';
import { decideRetry } from '../../../workflows/retry-decision.js';

const GiB = 2 ** 30;
const failure = (code: string, fields: FailureInfo['fields'] = {}): FailureInfo => ({
  code,
  what: 'x',
  fields,
});
const failed = (code: string, fields?: FailureInfo['fields'], lastedMs = 1_000): FailedAttempt => ({
  failure: failure(code, fields),
  lastedMs,
});
const decide = (policy: RetryPolicy, failures: readonly FailedAttempt[], { memory = GiB, random = 0 } = {}) =>
  decideRetry(retrySpec('train', policy), { failures, memory, random });
const times = (n: number, each: FailedAttempt) => Array.from({ length: n }, () => each);

test.each([
  ['no retry unless asked', {}, [failed('STEP_FAILED')], false],
  ['the author asked for one', { attempts: 2 }, [failed('STEP_FAILED')], true],
  ['and it failed too', { attempts: 2 }, times(2, failed('STEP_FAILED')), false],
  ['what says that nothing helps is believed', { attempts: 9 }, [failed('STEP_FAILED', { retryable: false })], false],
  ['a broken schema', { attempts: 9 }, [failed('STEP_OUTPUT_INVALID')], false],
  ['a final exit code', { attempts: 9, finalExitCodes: [3] }, [failed('STEP_FAILED', { exitCode: 3 })], false],
  ['another exit code', { attempts: 9, finalExitCodes: [3] }, [failed('STEP_FAILED', { exitCode: 4 })], true],
  ['time and errors share the attempts', { attempts: 2 }, [failed('STEP_FAILED'), failed('STEP_TIMEOUT')], false],
  ['a kind with a policy of its own does not', { attempts: 2, onTimeout: { attempts: 2 } }, [failed('STEP_FAILED'), failed('STEP_TIMEOUT')], true],
  ['the time of an attempt or of waiting', { attempts: 2 }, [failed('STEP_TIMEOUT', { limit: 'queue' })], true],
  ['the time of the whole step', { attempts: 9, onTimeout: { attempts: 9 } }, [failed('STEP_TIMEOUT', { limit: 'step' })], false],
  ['lost workers use none of the author up', { attempts: 2 }, [...times(3, failed('WORKER_LOST')), failed('STEP_FAILED')], true],
  ['a lost worker, no retry asked for', {}, [failed('WORKER_LOST')], true],
  ['the engine away, no retry asked for', {}, [failed('DOCKER_UNAVAILABLE')], true],
  ['stopped from outside', {}, [failed('ATTEMPT_PREEMPTED')], true],
  ['infrastructure has an end, too', {}, times(20, failed('DOCKER_UNAVAILABLE')), false],
  ['but counts in a row: one that lasted begins anew', {}, [...times(19, failed('DOCKER_UNAVAILABLE')), failed('DOCKER_UNAVAILABLE', {}, 700_000)], true],
  ['but not for ever', {}, times(200, failed('DOCKER_UNAVAILABLE', {}, 700_000)), false],
  ['nothing known of it', {}, [failed('FROM_THE_FUTURE')], false],
] as const)('%s', (_, policy, failures, again) => {
  expect(decide(policy, failures).again).toBe(again);
}); // prettier-ignore

test('each limit of time is a failure of the same kind', () => {
  const kinds = ['attempt', 'queue', 'step'].map(
    (limit) => decide({}, [failed('STEP_TIMEOUT', { limit })]).kind,
  );
  expect(new Set(kinds)).toEqual(new Set(['timeout']));
});

test('waits grow by the backoff up to the longest, less a random share', () => {
  const policy = {
    attempts: 9,
    initialInterval: '1s',
    backoff: 2,
    maximumInterval: '5s',
    jitter: 0.5,
  } as const;
  const wait = (n: number, random = 0) => decide(policy, times(n, failed('STEP_FAILED')), { random });
  expect([1, 2, 3, 4].map((n) => wait(n))).toMatchObject(
    [1_000, 2_000, 4_000, 5_000].map((waitMs) => ({ waitMs })),
  );
  expect(wait(1, 1)).toMatchObject({ waitMs: 500 });
});

describe('out of memory', () => {
  const policy: RetryPolicy = { onOutOfMemory: { memory: 'x2', max: '3GiB' } };
  const oom = failed('OUT_OF_MEMORY');

  test('gives the next attempt more, up to the most it may have, and then ends', () => {
    expect(decide(policy, [oom])).toMatchObject({ again: true, memory: 2 * GiB });
    expect(decide(policy, [oom, oom], { memory: 2 * GiB })).toMatchObject({ again: true, memory: 3 * GiB });
    expect(decide(policy, [oom, oom, oom], { memory: 3 * GiB })).toMatchObject({
      again: false,
      reason: '3.0 GiB is the most it may have',
    });
  });

  test('says what it had and what it gets', () => {
    expect(decide(policy, [oom]).reason).toBe('it ran out of its 1.0 GiB of memory; the next has 2.0 GiB');
  });

  test('uses none of the attempts for other failures', () => {
    expect(decide({ ...policy, attempts: 2 }, [oom, failed('STEP_FAILED')]).again).toBe(true);
  });

  test('without a policy is as any failure', () => {
    expect(decide({ attempts: 2 }, [oom])).toMatchObject({ again: true, memory: GiB });
    expect(decide({}, [oom]).again).toBe(false);
  });
});

test.each([
  [{ onOutOfMemory: { memory: 'x2' } }, 'retry.onOutOfMemory.memory without a `max`'],
  [{ onOutOfMemory: { memory: 'double', max: '2GiB' } }, 'has retry.onOutOfMemory.memory "double"'],
  [{ onTimeout: { attemps: 2 } }, 'unknown option `retry.onTimeout.attemps`'],
  [{ attemps: 2 }, 'unknown option `retry.attemps`'],
  [{ finalExitCodes: [0] }, 'has the final exit code 0'],
  [{ jitter: 2 }, 'has retry.jitter 2'],
])('%j is refused', (policy, message) => {
  expect(() => retrySpec('train', policy as RetryPolicy)).toThrow(message);
});
