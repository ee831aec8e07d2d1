import type { ExecutionEnd } from './executor.js';

export type StopReason = Exclude<ExecutionEnd['reason'], 'exited' | 'stopped-outside' | 'left'>;

/** Watches over one program and stops it when it may not go on. The first reason counts. */
export type ExecutionLimits = {
  reason(): StopReason | undefined;
  /** Resolves when a program that was killed has still not ended a while after: whoever runs it does not answer. */
  readonly unanswered: Promise<void>;
  /** Stops the program for a reason found elsewhere, at once. */
  kill(reason: StopReason): void;
  /** Ends the watch. A disk limit passed since the last look is found here. */
  close(): Promise<void>;
};

export type LimitsOptions = {
  readonly timeoutMs: number;
  /** Bytes. */
  readonly disk: number;
  /** Bytes used now. */
  readonly usage: () => Promise<number>;
  /** Sends the signal to the program; never rejects. */
  readonly send: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>;
  /** Time from SIGTERM to SIGKILL, ms. Default 10 s. */
  readonly graceMs?: number | undefined;
  /** Time from SIGKILL until whoever runs the program counts as silent, ms. Default 20 s. */
  readonly unansweredMs?: number;
  readonly signal: AbortSignal;
};

const diskIntervalMs = 1_000;
const longestTimer = 2 ** 31 - 1;

/** Starts watching: time and cancellation end a program with SIGTERM first, a full disk with SIGKILL. */
export function watchLimits({
  timeoutMs,
  disk,
  usage,
  send,
  graceMs = 10_000,
  unansweredMs = 20_000,
  signal,
}: LimitsOptions): ExecutionLimits {
  let reason: StopReason | undefined;
  let closed = false;
  let force: NodeJS.Timeout | undefined;
  let given: NodeJS.Timeout | undefined;
  let giveUp: () => void = () => undefined;
  const unanswered = new Promise<void>((resolve) => (giveUp = resolve));
  const sendKill = () => {
    void send('SIGKILL');
    given = setTimeout(giveUp, unansweredMs);
  };
  const stop = (why: StopReason, first: 'SIGTERM' | 'SIGKILL') => {
    if (reason !== undefined || closed) return;
    reason = why;
    if (first === 'SIGKILL') return sendKill();
    void send(first);
    force = setTimeout(sendKill, graceMs);
  };
  const onAbort = () => stop('cancelled', 'SIGTERM');
  const time = setTimeout(() => stop('timeout', 'SIGTERM'), Math.min(timeoutMs, longestTimer));
  const look = async () => {
    if ((await usage()) > disk) stop('disk-limit', 'SIGKILL');
    if (!closed) next = setTimeout(() => void look(), diskIntervalMs);
  };
  let next = setTimeout(() => void look(), diskIntervalMs);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return {
    reason: () => reason,
    unanswered,
    kill: (why) => stop(why, 'SIGKILL'),
    async close() {
      if (closed) return;
      closed = true;
      for (const timer of [time, next, force, given]) clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      // What a short program wrote between two looks counts as well.
      if (reason === undefined && (await usage()) > disk) reason = 'disk-limit';
    },
  };
}
