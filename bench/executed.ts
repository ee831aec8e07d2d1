/** Steps that have really run so far: the bench project counts them in the worker, which is this process. */
export const executedSoFar = (): number =>
  (globalThis as { millraceBenchExecuted?: number }).millraceBenchExecuted ?? 0;
