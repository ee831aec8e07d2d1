export type EachLimitedOptions = {
  /** How many at once. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
};

/** Runs `work` on each item, a few at once, and gives the results in order. The first failure stops what has not begun. */
export async function eachLimited<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  { limit, signal }: EachLimitedOptions,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  let failed = false;
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failed) return;
      signal?.throwIfAborted();
      try {
        results[index] = await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(limit, items.length) }, lane);
  // Every lane ends before a failure is passed on: nothing goes on writing behind the caller's back.
  await Promise.allSettled(lanes);
  await Promise.all(lanes);
  return results;
}
