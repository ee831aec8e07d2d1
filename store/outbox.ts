import type { RunStatus, StepStatus } from '../sdk/states.js';
import type { NotifyEvent } from '../sdk/notify-event.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import type { Time } from './catalog.js';

/** What happened to a run or step: the body of messages of the topic `lifecycle`. What else there is to say of it the catalog knows. */
export type LifecycleEvent =
  | { readonly event: 'run.started' | 'run.ended'; readonly run: string; readonly status: RunStatus }
  | {
      readonly event: 'step.started' | 'step.ended';
      readonly run: string;
      readonly path: string;
      readonly status: StepStatus;
    };

/**
 * What a receiver is told of without anybody appending it. `lifecycle`: each beginning and end of a run, and of its steps that
 * read or make artifacts, appended in the transaction that records it. `notify.…`: each event of this kind, in the same way.
 */
export type Topic = 'lifecycle' | `notify.${NotifyEvent}`;

/** Body of messages of the topics `notify.…`: what people want to be told of. What else there is to say of it the catalog knows. */
export type NoticeMessage = {
  readonly event: NotifyEvent;
  readonly run: string;
  /** Of a parked step. */
  readonly path?: string;
  readonly failure?: FailureInfo;
};

export type NewMessage = {
  readonly receiver: string;
  /** A second message of this key to this receiver is none. */
  readonly key: string;
  readonly body: unknown;
};

export type OutboxMessage = NewMessage & {
  /** Its place in the receiver's line; a higher one is sent later. */
  readonly position: number;
  readonly createdAt: Time;
  /** How often sending it failed. */
  readonly attempts: number;
  /** Not sent before. */
  readonly nextAt: Time;
  /** Why the last attempt failed. */
  readonly error?: string;
};

export type ReceiverState = {
  readonly receiver: string;
  readonly topics: readonly Topic[];
  readonly waiting: number;
  /** The message at the head of the line: all others wait for it. */
  readonly head?: OutboxMessage;
  /** Who sends to it now. */
  readonly holder?: string;
};

export type ClaimOptions = {
  readonly receiver: string;
  /** Who claims, unlike every other that may. */
  readonly holder: string;
  readonly leaseMs: number;
  /** At most so many; default 50. */
  readonly limit?: number;
  /** Default: now. */
  readonly now?: Date;
};

/**
 * Messages on their way out of the catalog, a line for each receiver: sent in order, at least once, by one holder at a time.
 * One that cannot be delivered holds up its line until it can, or until a person drops it; other receivers do not notice.
 */
export interface Outbox {
  /** Has the receiver told of these topics from now on, by whichever process writes the catalog. Idempotent. */
  subscribe(receiver: string, topics: readonly Topic[]): Promise<void>;
  /** In the order given. @returns how many were new */
  append(messages: readonly NewMessage[]): Promise<number>;
  /**
   * The head of the receiver's line, and the lease that lets the holder send it. Nothing when the line is empty, its head is
   * not due, or another holds the lease.
   */
  claim(options: ClaimOptions): Promise<readonly OutboxMessage[]>;
  /** Marks a message as delivered and renews the lease. @returns whether the lease is still the holder's: else stop sending */
  ack(options: ClaimOptions & { readonly position: number }): Promise<boolean>;
  /** Notes why a message could not be sent, puts it off, and gives the lease back. */
  fail(
    options: Pick<ClaimOptions, 'receiver' | 'holder'> & {
      readonly position: number;
      readonly error: string;
      readonly nextAt: Date;
    },
  ): Promise<void>;
  /** Gives the lease back. */
  release(receiver: string, holder: string): Promise<void>;
  receivers(): Promise<readonly ReceiverState[]>;
  /** Messages not delivered, in order. @param filter.limit default 100 */
  list(filter?: { readonly receiver?: string; readonly limit?: number }): Promise<readonly OutboxMessage[]>;
  /** Makes what was put off due now. @returns how many messages */
  retry(receiver?: string): Promise<number>;
  /** Gives up one message, or all that wait for the receiver. @returns how many */
  drop(receiver: string, position?: number): Promise<number>;
  /** Drops a receiver with all that waits for it: it is told of nothing any more. @returns how many messages it dropped */
  forget(receiver: string): Promise<number>;
  /** Removes what is left of messages delivered before: until then a message that comes twice is known. */
  prune(before: Date): Promise<void>;
}
