/**
 * What went wrong with an attempt, as people and retry policies see it. `user_error`: the step's own code; `non_retryable`: the
 * step said so, or what it was given or gave is wrong; `preempted`: stopped from outside, or its worker is being drained;
 * `worker_lost`: its worker or container is gone; `infrastructure`: Docker, store, catalog or Temporal are down.
 */
export const failureKinds = [
  'user_error',
  'non_retryable',
  'out_of_memory',
  'timeout',
  'preempted',
  'worker_lost',
  'infrastructure',
] as const;
export type FailureKind = (typeof failureKinds)[number];
