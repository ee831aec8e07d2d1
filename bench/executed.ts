/** How often the steps of bench/project really ran in this process: it tells a figure from a cached one. */
export const executedSoFar = (): number =>
  (globalThis as { millraceBenchExecuted?: number }).millraceBenchExecuted ?? 0;
