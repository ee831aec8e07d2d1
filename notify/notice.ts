import type { NotifyEvent } from '../sdk/notify-event.js';
import type { RunStatus } from '../sdk/states.js';
import { isClosed } from '../sdk/states.js';
import type { Catalog, RunRecord } from '../store/catalog.js';
import type { NoticeMessage } from '../store/outbox.js';

/** What a receiver gets, as JSON: docs/notifications.md. */
export type Notice = {
  readonly type: 'run.failed' | 'run.completed' | 'run.cancelled' | 'run.overdue' | 'step.parked';
  /** When it happened, ISO 8601. */
  readonly timestamp: string;
  readonly data: {
    readonly run: string;
    readonly pipeline: string;
    readonly queue: string;
    readonly build: string;
    readonly tags: Readonly<Record<string, string>>;
    /** Of a child run: the run it is part of. */
    readonly parent?: string;
    /** As it was when this was sent. */
    readonly status: RunStatus;
    readonly startedAt: string;
    readonly closedAt?: string;
    /** When it was expected to have ended. */
    readonly dueAt?: string;
    /** Path of the step that is parked, or that the run failed with. */
    readonly step?: string;
    readonly failure?: {
      readonly code: string;
      readonly what: string;
      readonly hint?: string;
      readonly step?: string;
    };
    /** One sentence for people, and the command that shows more. */
    readonly text: string;
    readonly command: string;
  };
};

const types: Readonly<Record<NotifyEvent, Notice['type']>> = {
  failed: 'run.failed',
  completed: 'run.completed',
  cancelled: 'run.cancelled',
  overdue: 'run.overdue',
  parked: 'step.parked',
};

/** What there is to say of an event, from what the catalog knows now; undefined of a run that is no more. */
export async function noticeOf(
  { event, run: id, path, failure: ofStep }: NoticeMessage,
  timestamp: string,
  catalog: Pick<Catalog, 'run'>,
): Promise<Notice | undefined> {
  const run = await catalog.run(id);
  if (!run) return undefined;
  const { pipeline, queue, build, tags, parent, status, startedAt, closedAt, dueAt } = run;
  const failure = ofStep ?? (event === 'completed' || event === 'overdue' ? undefined : run.failure);
  const step = path ?? failure?.step;
  return {
    type: types[event],
    timestamp,
    data: {
      run: id,
      pipeline,
      queue,
      build,
      tags,
      ...(parent && { parent: parent.run }),
      status,
      startedAt,
      ...(closedAt !== undefined && { closedAt }),
      ...(dueAt !== undefined && { dueAt }),
      ...(step !== undefined && { step }),
      ...(failure && { failure: shortFailure(failure) }),
      text: `${words(event, run, path)}${failure ? `: ${failure.what}` : '.'}${isLate(event, status) ? ` The run has ended since: ${status}.` : ''}`,
      command: event === 'parked' ? `millrace show ${id} ${path}` : `millrace why ${id}`,
    },
  };
}

/** What was told late: nobody can repair what has ended. */
const isLate = (event: NotifyEvent, status: RunStatus): boolean =>
  (event === 'parked' || event === 'overdue') && isClosed(status);

const shortFailure = ({ code, what, hint, step }: NonNullable<RunRecord['failure']>) => ({
  code,
  what,
  ...(hint !== undefined && { hint }),
  ...(step !== undefined && { step }),
});

function words(event: NotifyEvent, { id, status, dueAt }: RunRecord, path: string | undefined): string {
  switch (event) {
    case 'parked':
      return isClosed(status)
        ? `Step ${path} of ${id} was parked`
        : `Step ${path} of ${id} is parked and waits for a repair`;
    case 'overdue':
      return `${id} ${isClosed(status) ? 'was' : 'is'} overdue: it was expected to end by ${dueAt}`;
    case 'failed':
      return `${id} ${status === 'timed_out' ? 'took longer than its timeout' : status === 'terminated' ? 'was terminated' : 'failed'}`;
    case 'completed':
      return `${id} completed`;
    case 'cancelled':
      return `${id} was cancelled`;
  }
}
