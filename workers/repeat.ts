import type { Logger } from 'pino';

/** Does a thing now and again and again, never twice at once; a failure is logged and waited out. Dispose waits for the one under way. */
export function repeat(everyMs: number, body: () => Promise<void>, logger: Logger): AsyncDisposable {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> = Promise.resolve();
  const next = (afterMs = everyMs) => {
    if (stopped) return;
    timer = setTimeout(() => {
      current = body()
        .catch((error: unknown) => logger.warn({ err: error }, 'background work failed, trying again'))
        .finally(() => next());
    }, afterMs);
  };
  next(0);
  return {
    async [Symbol.asyncDispose]() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
