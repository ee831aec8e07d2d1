export type WaitOptions = {
  /** What is waited for, as it stands in the error: `the run to complete`. Default `the condition`. */
  readonly what?: string;
  /** Default 30 000 ms. */
  readonly timeoutMs?: number;
  /** Time between two looks. Default 50 ms. */
  readonly intervalMs?: number;
};

/**
 * Looks again and again until the condition gives something other than `undefined`, `null` or `false`, and returns that. A
 * condition that throws is looked at again; what it threw last is the cause of the error when time is up.
 */
export async function waitFor<T>(
  condition: () => Promise<T> | T,
  { what = 'the condition', timeoutMs = 30_000, intervalMs = 50 }: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const end = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false)
        return value as Exclude<T, undefined | null | false>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= end) throw new Error(`Waited ${timeoutMs} ms for ${what} in vain`, { cause });
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
