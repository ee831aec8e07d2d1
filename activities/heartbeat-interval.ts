/**
 * How often what runs says so to Temporal, ms: each answer may bring a cancellation, so that it reaches a container within a
 * second. What that costs is in docs/executors.md.
 */
export const heartbeatMs = 1_000;
