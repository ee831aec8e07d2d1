import { setImmediate as nextTurn } from 'node:timers/promises';

/** Longest stretch of work without the event loop, ms. */
const turnMs = 5;

/** For loops of quick synchronous work: the function it makes lets the event loop go on when it is time. */
export function createBreath(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < turnMs) return undefined;
    return nextTurn().then(() => {
      since = performance.now();
    });
  };
}
