import { setTimeout as pause } from 'node:timers/promises';

/** Looks every 50 ms until there is an answer. @throws after `withinMs` (120 s) */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  { what, withinMs = 120_000 }: { readonly what: string; readonly withinMs?: number },
): Promise<T> {
  for (const end = performance.now() + withinMs; performance.now() < end; await pause(50)) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
  }
  throw new Error(`Waited ${withinMs} ms for ${what} in vain.`);
}
