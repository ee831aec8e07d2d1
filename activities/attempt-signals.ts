import type { StepTask } from '../sdk/protocol/messages.js';
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
  /** Why `signal` aborted, or would have if it had not been left before. */
  readonly why: () => EndCause | undefined;
}

/**
 * Of an attempt in a container: cancelling stops it, while a worker that is drained and a service that has given the attempt up
 * leave it to the next delivery, which finds the container. All others end with their worker.
 * @param cancellation the activity's own signal
 */
export function attemptSignals(
  { executor }: StepTask,
  cancellation: AbortSignal,
  { draining, onStop }: Pick<StepEnvironment, 'draining' | 'onStop'>,
): AttemptSignals {
  const stop = new AbortController();
  const leave = new AbortController();
  let cause: EndCause | undefined;
  const end = (why: EndCause, reason: unknown) => {
    cause ??= why;
    const adopted =
      executor === 'docker' && (why === 'given-up' || (why === 'worker-stops' && onStop === 'hand-over'));
    (adopted ? leave : stop).abort(reason);
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
    if (executor === 'docker') end('worker-stops', draining.reason);
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
      cancellation.removeEventListener('abort', onCancel);
      draining.removeEventListener('abort', onDrain);
    },
  };
}
