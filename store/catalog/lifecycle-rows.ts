import type { RunStatus, StepKind } from '../../sdk/states.js';
import { isClosed, isStepClosed } from '../../sdk/states.js';
import type { LifecycleEvent } from '../outbox.js';
import type { KnownStep } from './merge-step.js';
import { appendMessages, subscribers } from './outbox-rows.js';
import type { CatalogDb } from './tables.js';

/** An event, and what tells it apart from every other: written twice it is one. */
export type Told = { readonly key: string; readonly body: LifecycleEvent };

/** Tells who subscribed to it, inside the transaction that makes it so. */
export async function tellLifecycle(trx: CatalogDb, told: readonly Told[]): Promise<void> {
  if (told.length === 0) return;
  const receivers = await subscribers(trx, 'lifecycle');
  await appendMessages(
    trx,
    receivers.flatMap((receiver) => told.map((each) => ({ receiver, ...each }))),
  );
}

export function runTold(
  run: string,
  before: RunStatus | undefined,
  after: RunStatus | undefined,
): readonly Told[] {
  if (after === undefined || before === after) return [];
  if (!isClosed(after))
    return [{ key: `${run} started`, body: { event: 'run.started', run, status: after } }];
  return [{ key: `${run} ${after}`, body: { event: 'run.ended', run, status: after } }];
}

/** A child run speaks for itself, and people's decisions read and make nothing. */
const toldKinds: ReadonlySet<StepKind> = new Set(['step', 'fetch', 'register']);
const hasStarted = ({ record: { status } }: KnownStep): boolean =>
  status !== 'queued' && status !== 'waiting';
const hasClosed = ({ record }: KnownStep): boolean => isStepClosed(record.status);

/** What a row changed: a step begins once, and ends again only when it turns out to have ended otherwise. */
export function stepTold(before: KnownStep | undefined, after: KnownStep): readonly Told[] {
  const { run, path, status, kind } = after.record;
  if (!toldKinds.has(kind)) return [];
  const starts = hasStarted(after) && !(before && hasStarted(before));
  const ends = hasClosed(after) && !(before && hasClosed(before) && before.record.status === status);
  return [
    ...(starts
      ? [
          {
            key: `${run} ${path} started`,
            body: { event: 'step.started', run, path, status: 'running' } as const,
          },
        ]
      : []),
    ...(ends
      ? [
          {
            key: `${run} ${path} ${status} ${after.attempt}`,
            body: { event: 'step.ended', run, path, status } as const,
          },
        ]
      : []),
  ];
}
