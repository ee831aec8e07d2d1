import type { NotifyEvent } from '../../sdk/notify-event.js';
import type { FailureInfo } from '../../sdk/protocol/failure.js';
import type { RunStatus } from '../../sdk/states.js';
import type { NewMessage, NoticeMessage } from '../outbox.js';
import type { KnownStep } from './merge-step.js';
import { appendMessages, subscribers } from './outbox-rows.js';
import type { CatalogDb } from './tables.js';

/** Something that people may want to be told of, and what tells it apart from every other: written twice it is one. */
export type Notice = { readonly key: string; readonly body: NoticeMessage };

/** Tells who subscribed to such events, inside the transaction that makes it so. */
export async function tellNotices(trx: CatalogDb, notices: readonly Notice[]): Promise<void> {
  const messages: NewMessage[] = [];
  for (const notice of notices)
    for (const receiver of await subscribers(trx, `notify.${notice.body.event}`))
      messages.push({ receiver, ...notice });
  // All at once: receivers are locked in one order.
  await appendMessages(trx, messages);
}

const ends: Readonly<Record<RunStatus, NotifyEvent | undefined>> = {
  running: undefined,
  completed: 'completed',
  failed: 'failed',
  terminated: 'failed',
  timed_out: 'failed',
  cancelled: 'cancelled',
};

/** The end of a run that no other run called: of a child run its parent's end says enough. */
export function endNotice(
  { run, parent }: { readonly run: string; readonly parent: string | null },
  before: RunStatus,
  after: RunStatus,
): readonly Notice[] {
  const event = before === after || parent !== null ? undefined : ends[after];
  return event ? [{ key: `${run} ${after}`, body: { event, run } }] : [];
}

/** A step that is parked, once for each attempt that came to it; after a repair anew, also where no worker took that attempt up. */
export function parkedNotice(
  before: KnownStep | undefined,
  { record, attempt }: KnownStep,
): readonly Notice[] {
  const { run, path, status, failure, repair } = record;
  if (status !== 'parked' || before?.record.status === 'parked') return [];
  return [
    {
      key: `${run} ${path} parked ${attempt}${repair ? ` repaired ${repair.at}` : ''}`,
      body: { event: 'parked', run, path, ...(failure && { failure: withoutLog(failure) }) },
    },
  ];
}

export const overdueNotice = (run: string): Notice => ({
  key: `${run} overdue`,
  body: { event: 'overdue', run },
});

/** What a program printed goes to nobody unasked. */
function withoutLog({ fields = {}, ...failure }: FailureInfo): FailureInfo {
  const { logTail: _logTail, ...rest } = fields;
  return { ...failure, fields: rest };
}
