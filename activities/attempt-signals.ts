import { setTimeout as pause } from 'node:timers/promises';
import type { StepTask } from '../sdk/protocol/messages.js';
import { isClosed } from '../sdk/states.js';
import { isGivenUp, isWorkerShutdown } from './failures.js';
import type { StepEnvironment } from './step-environment.js';

/** Why an attempt is to end before its program does. */
export type EndCause = 'cancelled' | 'given-up' | 'worker-stops';

/** What tells an attempt to stop its program, or to leave it to others. */
export interface AttemptSignals extends Disposable {
  /** The program is to be stopped. */
  readonly signal: AbortSignal;
  /** The program goes on; who takes it up next will see to it. */
  readonly leave: AbortSignal;
  /** Why one of the two aborted. */
  readonly why: () => EndCause | undefined;
}

/** The reconciler notices within this time that a run ended by itself or by another tool. */
const noticedWithinMs = 6_000;
const lookMs = 500;

/**
 * Of an attempt in a container: cancelling stops it, while a worker that is drained and a service that has given the attempt up
 * leave it to the next delivery, which finds the container; but for a run that is over, which will have none. All others end
 * with their worker.
 * @param cancellation the activity's own signal
 */
export function attemptSignals(
  { run, executor, attempt }: StepTask,
  cancellation: AbortSignal,
  { draining, onStop, catalog }: Pick<StepEnvironment, 'draining' | 'onStop' | 'catalog'>,
): AttemptSignals {
  const stop = new AbortController();
  const leave = new AbortController();
  const done = new AbortController();
  // Where Temporal counts the attempts there is no second delivery.
  const adoptable = executor === 'docker' && attempt !== undefined;
  let cause: EndCause | undefined;
  const end = (why: EndCause, reason: unknown) => {
    // A person's word goes before what was going on anyway.
    cause = why === 'cancelled' ? why : (cause ?? why);
    if (adoptable && why === 'given-up') void giveUp(reason);
    else (adoptable && why === 'worker-stops' && onStop === 'hand-over' ? leave : stop).abort(reason);
  };
  async function giveUp(reason: unknown): Promise<void> {
    for (const until = performance.now() + noticedWithinMs; ;) {
      if (await isOver()) return stop.abort(reason);
      if (performance.now() >= until || done.signal.aborted) return leave.abort(reason);
      await pause(lookMs, undefined, { signal: done.signal }).catch(() => undefined);
    }
  }
  const isOver = async (): Promise<boolean> => {
    const known = await catalog.run(run).catch(() => undefined);
    return known !== undefined && isClosed(known.status);
  };
  const onCancel = () => {
    const why = isGivenUp(cancellation)
      ? 'given-up'
      : isWorkerShutdown(cancellation)
        ? 'worker-stops'
        : 'cancelled';
    end(why, cancellation.reason);
  };
  // Others get the worker's grace time to come to their end: then Temporal cancels them.
  const onDrain = () => {
    if (adoptable) end('worker-stops', draining.reason);
  };
  const listen = (signal: AbortSignal, listener: () => void) => {
    if (signal.aborted) listener();
    else signal.addEventListener('abort', listener, { once: true });
  };
  listen(cancellation, onCancel);
  listen(draining, onDrain);
  return {
    signal: stop.signal,
    leave: leave.signal,
    why: () => cause,
    [Symbol.dispose]() {
      done.abort();
      cancellation.removeEventListener('abort', onCancel);
      draining.removeEventListener('abort', onDrain);
    },
  };
}
