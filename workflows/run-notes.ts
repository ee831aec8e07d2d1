import { CancellationScope, proxyLocalActivities } from '@temporalio/workflow';
import type { CancelCause } from '../sdk/cleanup.js';
import type { RecordRunNote } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import { sentence } from '../sdk/sentence.js';

const local = proxyLocalActivities<{ [activityNames.recordRunNote](note: RecordRunNote): Promise<void> }>({
  startToCloseTimeout: '30s',
  retry: { maximumInterval: '10s' },
});

export type RunNote = Omit<RecordRunNote, 'run' | 'at' | 'text'> & { readonly cause: CancelCause };

/** Writes what happens to a run as a whole where people see it, one after the other, also while it is being cancelled. */
export interface RunNotes {
  write(note: RunNote): Promise<void>;
  /** All that was written stands there. */
  settled(): Promise<void>;
}

export function runNotes(run: string): RunNotes {
  let writing: Promise<void> = Promise.resolve();
  return {
    write({ cause, ...note }) {
      const entry = { run, at: new Date().toISOString(), ...note, text: wordsOf(note.kind, cause) };
      writing = writing.then(() =>
        CancellationScope.nonCancellable(() => local[activityNames.recordRunNote](entry)),
      );
      return writing;
    },
    settled: () => writing,
  };
}

function wordsOf(kind: RunNote['kind'], { by, reason }: CancelCause): string {
  const who = by === undefined ? kind : `${kind} by ${by}`;
  return reason ? `${who}: ${sentence(reason)}` : who;
}
