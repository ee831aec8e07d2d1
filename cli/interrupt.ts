import { exitCodes } from './exit-codes.js';

/** Listens for Ctrl-C and SIGTERM until it is disposed. */
export interface Interrupt extends Disposable {
  /** Aborts at the first of them. The second ends the process at once. */
  readonly signal: AbortSignal;
}

const signals = ['SIGINT', 'SIGTERM'] as const;

/** @param options.onFirst called at the first signal; @param options.onForce called before a second one ends the process */
export function listenForInterrupt(
  options: { readonly onFirst?: () => void; readonly onForce?: () => void } = {},
): Interrupt {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) {
      options.onForce?.();
      process.exit(exitCodes.interrupted);
    }
    controller.abort();
    options.onFirst?.();
  };
  for (const name of signals) process.on(name, interrupt);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of signals) process.off(name, interrupt);
    },
  };
}

/** Settles when the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
