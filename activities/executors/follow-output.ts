import { setTimeout as pause } from 'node:timers/promises';
import type Docker from 'dockerode';
import { reasonOf, statusOf } from './docker-errors.js';
import type { EnginePatience } from './engine-call.js';
import { messageOrder } from './message-order.js';
import type { OutputLog } from './output-log.js';
import { readOutput } from './read-output.js';

export type Followed = {
  readonly container: Docker.Container;
  readonly log: OutputLog;
  readonly patience: EnginePatience;
};

/** Programs that end sooner are read once, at their end. */
const firstLookMs = 50;
const againMs = 500;
/** The engine ends the stream a moment after the program. */
const drainWithinMs = 500;

/**
 * Takes what a container prints until it has ended and everything is in the log, through restarts of the engine.
 * @throws when the log cannot be written; what `ended` rejects with
 */
export async function followOutput(
  followed: Followed,
  { ended, signal }: { readonly ended: Promise<unknown>; readonly signal: AbortSignal },
): Promise<void> {
  const live = new AbortController();
  const following = follow(followed, { ended, signal: AbortSignal.any([signal, live.signal]) });
  following.catch(() => undefined);
  try {
    await Promise.race([ended, following.then(() => ended)]);
    await Promise.race([following, pause(drainWithinMs, undefined, { ref: false })]);
  } finally {
    live.abort();
    // What it is writing just now is whole before anybody else writes.
    await following;
  }
  await readRest(followed, signal);
}

async function follow(
  { container, log }: Followed,
  { ended, signal }: { readonly ended: Promise<unknown>; readonly signal: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  const end = () => over.abort();
  ended.then(end, end);
  const stop = AbortSignal.any([signal, over.signal]);
  const wait = (ms: number) => pause(ms, undefined, { signal: stop, ref: false }).catch(() => undefined);
  const order = messageOrder();
  await wait(firstLookMs);
  while (!stop.aborted) {
    await readOutput({ container, log, order, signal });
    await wait(againMs);
  }
}

/** Reads what is left when the program has ended: a stream that follows may break off before the last lines. */
export async function readRest({ container, log, patience }: Followed, signal: AbortSignal): Promise<void> {
  const order = messageOrder();
  const late = AbortSignal.timeout(patience.answerMs);
  const until = AbortSignal.any([signal, late]);
  for (;;) {
    const failed = await readOutput({ container, log, order, signal: until });
    if (!failed || signal.aborted) return;
    if (late.aborted || statusOf(failed.cause) === 404)
      return log.note(
        `millrace: the rest of the output could not be had from the engine: ${reasonOf(failed.cause)}`,
      );
    await pause(againMs, undefined, { signal: until }).catch(() => undefined);
  }
}
