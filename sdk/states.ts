/** States of a run, a step and an attempt: one union for workflow, catalog, CLI and console. */
export const runStatuses = [
  'running',
  'completed',
  'failed',
  'cancelled',
  'terminated',
  'timed_out',
] as const;
export type RunStatus = (typeof runStatuses)[number];

/** `waiting` is an approval; `queued` waits for a worker or for room on one (`detail` says for what); `parked` for a repair. */
export const stepStatuses = [
  'queued',
  'running',
  'waiting',
  'retrying',
  'parked',
  'completed',
  'failed',
  'cancelled',
  'lost',
] as const;
export type StepStatus = (typeof stepStatuses)[number];

export const attemptStatuses = ['running', 'completed', 'failed', 'cancelled', 'lost'] as const;
export type AttemptStatus = (typeof attemptStatuses)[number];

export const stepKinds = ['step', 'fetch', 'gate', 'approval', 'register', 'promote', 'pipeline'] as const;
export type StepKind = (typeof stepKinds)[number];

export const isClosed = (status: RunStatus): boolean => status !== 'running';
export const isStepClosed = (status: StepStatus): boolean =>
  ['completed', 'failed', 'cancelled', 'lost'].includes(status);

/** What an open run waits for a person with: a parked step, an approval, a pause. */
export const heldStatuses = ['parked', 'waiting', 'paused'] as const;
export type HeldStatus = (typeof heldStatuses)[number];
