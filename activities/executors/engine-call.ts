import { InfrastructureFailed } from '../../sdk/errors.js';

/** How long an engine may take to answer one call, ms. Pulling, building and waiting for a program's end are not such calls. */
export type EnginePatience = {
  /** Default 2 minutes: an engine under load is slow before it is dead. */
  readonly answerMs: number;
  /** After the signal's abort: what the engine is making just then is known and can be removed. Default 5 s. */
  readonly afterAbortMs: number;
  /** For killing and for removing a container, which the sweep does later otherwise. Default 15 s. */
  readonly removeMs: number;
};

export const enginePatience: EnginePatience = { answerMs: 120_000, afterAbortMs: 5_000, removeMs: 15_000 };

export type EngineCall = EnginePatience & {
  /** What is tried: `create the container`. */
  readonly what: string;
  readonly signal: AbortSignal;
};

/**
 * Asks the engine one thing and does not wait for ever.
 * @param ask gets a signal that aborts when the answer has become too late
 * @throws InfrastructureFailed when no answer came in time; the signal's reason when it aborted and none came soon after
 */
export async function engineCall<T>(
  ask: (abortSignal: AbortSignal) => Promise<T>,
  { what, signal, answerMs, afterAbortMs }: EngineCall,
): Promise<T> {
  signal.throwIfAborted();
  // Not AbortSignal.timeout, which holds what listens to it until its time is over.
  const late = new AbortController();
  const timers = [
    setTimeout(() => {
      late.abort(
        new InfrastructureFailed(`Docker did not ${what} within ${answerMs / 1000} s.`, {
          hint: 'It is tried again by itself; see `docker info`, and restart the engine if that hangs too.',
        }),
      );
    }, answerMs),
  ];
  const onAbort = () => timers.push(setTimeout(() => late.abort(signal.reason), afterAbortMs));
  signal.addEventListener('abort', onAbort, { once: true });
  // Beside the call's own abort: not each of dockerode's calls takes a signal.
  const given = new Promise<never>((_, reject) => {
    late.signal.addEventListener('abort', () => reject(late.signal.reason as Error), { once: true });
  });
  try {
    return await Promise.race([ask(late.signal), given]);
  } catch (error) {
    late.signal.throwIfAborted();
    throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
