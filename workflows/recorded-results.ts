import { CancellationScope, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { ReadRecorded, RecordReused } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import type { LargeCall, RecordedRun } from '../sdk/recovery/recorded-run.js';
import type { RecordedResults } from './reused-results.js';

const reading = proxyActivities<{
  [activityNames.readRecorded](request: ReadRecorded): Promise<RecordedRun>;
  [activityNames.readRecordedCall](request: ReadRecorded): Promise<LargeCall>;
}>({
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '15s',
  retry: { maximumAttempts: 20, maximumInterval: '20s' },
});
const recording = proxyLocalActivities<{
  [activityNames.recordReused](request: RecordReused): Promise<void>;
}>({ startToCloseTimeout: '2 minutes', retry: { maximumInterval: '10s' } });

/**
 * What a closed run left, read by activities. All branches of the pipeline share what is read: cancelling the one that asked first
 * takes it from no other.
 */
export const recordedResults = ({ run, of }: Pick<ReadRecorded, 'run' | 'of'>): RecordedResults => ({
  read: () => shared(() => reading[activityNames.readRecorded]({ run, of })),
  // What cannot be had is made anew.
  readLarge: (path) =>
    shared(() => reading[activityNames.readRecordedCall]({ run, of, path }).catch(() => undefined)),
  record: (decided) => shared(() => recording[activityNames.recordReused]({ run, of, ...decided })),
});

const shared = <T>(ask: () => Promise<T>): Promise<T> => CancellationScope.nonCancellable(ask);
