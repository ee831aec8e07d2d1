import type { Logger } from 'pino';
import type { Outbox, OutboxMessage } from '../store/outbox.js';
import type { Receiver } from './receiver.js';

export type SendOptions = {
  readonly outbox: Outbox;
  readonly receiver: Receiver;
  /** Who sends, unlike every other process that may. */
  readonly holder: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Default: the receiver's. */
  readonly timeoutMs?: number;
  /** Default: time and chance of this process. */
  readonly now?: () => Date;
  readonly random?: () => number;
};

const leaseMs = 30_000;
const firstPauseMs = 1_000;
const longestPauseMs = 60_000;

/**
 * Sends what is due for one receiver, in order, until its line is empty, a delivery fails, another process holds the line, or
 * `signal` aborts. Each message is marked when it was delivered: a process that dies in between delivers it again.
 * @returns how many were delivered
 */
export async function sendOutbox(options: SendOptions): Promise<number> {
  const { outbox, receiver, holder, signal, now = () => new Date() } = options;
  let sent = 0;
  for (;;) {
    if (signal.aborted) return sent;
    const messages = await outbox.claim({ receiver: receiver.name, holder, leaseMs, now: now() });
    if (messages.length === 0) return sent;
    for (const message of messages) {
      if (!(await deliver(message, options))) return sent;
      sent += 1;
      const { position } = message;
      const held = await outbox.ack({ receiver: receiver.name, holder, leaseMs, position, now: now() });
      if (!held) return sent;
      if (signal.aborted) break;
    }
    // Between two claims others may take the line; within one they may not.
    await outbox.release(receiver.name, holder);
  }
}

async function deliver(message: OutboxMessage, options: SendOptions): Promise<boolean> {
  const { outbox, receiver, holder, logger, signal, now = () => new Date() } = options;
  const timeoutMs = options.timeoutMs ?? receiver.timeoutMs ?? 10_000;
  const { position, attempts, key } = message;
  try {
    await receiver.send(message, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    return true;
  } catch (error) {
    // The worker stops: that is no fault of the receiver's.
    if (signal.aborted) {
      await outbox.release(receiver.name, holder);
      return false;
    }
    const words = reasonOf(error);
    const pauseMs = pauseOf(attempts, options.random ?? Math.random);
    const nextAt = new Date(now().getTime() + pauseMs);
    await outbox.fail({ receiver: receiver.name, holder, position, error: words, nextAt });
    logger.warn(
      { receiver: receiver.name, key, position, attempts: attempts + 1, pauseMs },
      `not delivered, trying again: ${words}`,
    );
    return false;
  }
}

/** Twice as long after each failure up to a minute, and a little different for each. */
function pauseOf(attempts: number, random: () => number): number {
  const pause = Math.min(firstPauseMs * 2 ** Math.min(attempts, 20), longestPauseMs);
  return Math.round(pause * (0.8 + 0.2 * random()));
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const { message = String(error), cause } = (error ?? {}) as Failure;
  const deeper = cause?.message || cause?.code;
  return (deeper ? `${message}: ${deeper}` : message).slice(0, 500);
}

type Failure = {
  readonly message?: string;
  readonly cause?: { readonly message?: string; readonly code?: string };
};
