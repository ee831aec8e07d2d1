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
  let failure: { readonly error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failure) return;
      try {
        signal?.throwIfAborted();
        results[index] = await work(item);
      } catch (error) {
        failure ??= { error };
        return;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(limit, items.length) }, lane);
  // Every lane ends before a failure is passed on: nothing goes on writing behind the caller's back.
  await Promise.all(lanes);
  if (failure) throw failure.error;
  return results;
}
