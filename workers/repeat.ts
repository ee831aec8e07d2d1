import type { Logger } from 'pino';

/**
 * Does a thing now and again and again, never twice at once; a failure is logged and waited out. Dispose aborts the signal that
 * the one under way was given, and waits for it.
 */
export function repeat(
  everyMs: number,
  body: (signal: AbortSignal) => Promise<void>,
  logger: Logger,
): AsyncDisposable {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> = Promise.resolve();
  const next = (afterMs = everyMs) => {
    if (stopping.signal.aborted) return;
    timer = setTimeout(() => {
      current = body(stopping.signal)
        .catch((error: unknown) => logger.warn({ err: error }, 'background work failed, trying again'))
        .finally(() => next());
    }, afterMs);
  };
  next(0);
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      clearTimeout(timer);
      await current;
    },
  };
}
