/** What people can be told of: a run failed (or was terminated or timed out), completed, was cancelled, has a parked step, is overdue. */
export const notifyEvents = ['failed', 'parked', 'overdue', 'completed', 'cancelled'] as const;
export type NotifyEvent = (typeof notifyEvents)[number];
