import { proxyLocalActivities } from '@temporalio/workflow';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import { failureKind } from '../sdk/protocol/failure.js';
import type { NextMove, RecordedFailure, RecordFailure, StepTask } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';

const local = proxyLocalActivities<{
  [activityNames.recordFailure](failure: RecordFailure): Promise<RecordedFailure>;
}>({ startToCloseTimeout: '30s', retry: { maximumInterval: '10s' } });

/** A step as the pipeline called it. */
export type StepCall = {
  readonly task: StepTask;
  /** ISO 8601. */
  readonly scheduledAt: string;
};

type FailureDecision = {
  readonly attempt: number;
  readonly failure: FailureInfo;
  /** Why it was decided so. */
  readonly reason: string;
  readonly next: NextMove;
  /** Also where the attempt has a recorded result: it cannot be had. Default false. */
  readonly anyway?: boolean;
};

/** Writes how an attempt ended, and what was decided, where people see it. */
export const recordFailure = (
  { task: { run, path, spec }, scheduledAt }: StepCall,
  { anyway, ...decision }: FailureDecision,
): Promise<RecordedFailure> =>
  local[activityNames.recordFailure]({
    ...decision,
    ...(anyway === true && { anyway }),
    run,
    path,
    name: spec.name,
    scheduledAt,
    kind: failureKind(decision.failure),
    at: new Date().toISOString(),
  });
