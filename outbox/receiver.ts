import type { OutboxMessage, Topic } from '../store/outbox.js';

/** Where messages of the outbox go: a name in the catalog, and the way there. */
export type Receiver = {
  readonly name: string;
  /** What it is told of by itself. */
  readonly topics: readonly Topic[];
  /** Longest time of one delivery, ms. Default 10 s. It is below the lease, so that nobody else sends meanwhile. */
  readonly timeoutMs?: number;
  /**
   * Delivers one message, or finds that there is nothing to deliver. It may come twice.
   * @throws anything, when it was not delivered: it is tried again, and those behind it wait
   */
  send(message: OutboxMessage, signal: AbortSignal): Promise<void>;
};
