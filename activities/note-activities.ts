import type { RecordRunNote } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import type { StepEnvironment } from './step-environment.js';

/** The record of what happens to a run as a whole. */
export function noteActivities({ catalog, projector }: StepEnvironment) {
  return {
    async [activityNames.recordRunNote]({
      run,
      at,
      kind,
      text,
      paused,
      failure,
    }: RecordRunNote): Promise<void> {
      await catalog.updateRun({
        id: run,
        ...(paused !== undefined && { paused }),
        ...(failure && { failure }),
      });
      projector.add({ timeline: [{ run, path: '', at, attempt: 0, kind, text }] });
      await projector.flush();
    },
  };
}
