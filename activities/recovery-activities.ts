import { Context } from '@temporalio/activity';
import type { LargeCall, RecordedRun } from '../sdk/recovery/recorded-run.js';
import type { ReadRecorded, RecordReused } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import { readLargeCall, readRecordedRun } from '../store/read-recorded-run.js';
import { now } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';
import { whileBeating } from './while-beating.js';

/** What a run that recovers another one reads of it, and the rows of what it took. */
export function recoveryActivities(env: StepEnvironment) {
  const { catalog, projector } = env;
  const options = () => ({ ...env, signal: Context.current().cancellationSignal });
  return {
    async [activityNames.readRecorded]({ of }: ReadRecorded): Promise<RecordedRun> {
      return whileBeating(() => readRecordedRun(of, options()));
    },

    async [activityNames.readRecordedCall]({ of, path = '' }: ReadRecorded): Promise<LargeCall> {
      return whileBeating(() => readLargeCall(of, path, options()));
    },

    async [activityNames.recordReused]({ run, of, steps, anew }: RecordReused): Promise<void> {
      const [former, artifacts] = await Promise.all([catalog.steps(of), catalog.artifacts(of)]);
      const rows = new Map(former.map((row) => [row.path, row]));
      const taken = new Map(steps.map(({ path, former: from }) => [from, path]));
      const at = now();
      projector.add({
        steps: steps.flatMap((step) => {
          const { path, former: from, scheduledAt, maker, status } = step;
          const row = rows.get(from);
          if (!row) return [];
          const { cached: _cached, progress: _progress, failure: _failure, ...kept } = row;
          return [
            {
              ...kept,
              run,
              path,
              status,
              output: step.output ?? kept.output,
              scheduledAt,
              closedAt: at,
              reused: maker,
            },
          ];
        }),
        artifacts: artifacts.flatMap((edge) => {
          const path = taken.get(edge.path);
          return path === undefined ? [] : [{ ...edge, run, path, at }];
        }),
        timeline: [
          ...steps.map(({ path, scheduledAt, maker }) => ({
            run,
            path,
            at: scheduledAt,
            attempt: 0,
            kind: 'reused',
            text: `reused from ${maker.run} ${maker.path}: the same call of the same code`,
            data: { ...maker },
          })),
          ...anew.map(({ why, ...decided }) => ({
            run,
            ...decided,
            attempt: 0,
            kind: 'anew',
            text: `not reused from ${of}: ${why}`,
          })),
        ],
      });
      await projector.flush();
    },
  };
}
