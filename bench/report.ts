import { loadavg } from 'node:os';

export type Figure = {
  readonly bench: string;
  readonly case: string;
  readonly unit: 'ms' | 's' | 'restarts';
  /** Medians of the samples. */
  readonly value: number;
  readonly floor?: number;
  readonly ratio?: number;
  /** What it may be at most, where that is no matter of a floor. */
  readonly limit?: number;
  /** Steps or operations that really ran for `value`: nothing is cached. */
  readonly executed: number;
  /** Most memory of the process above what it had when idle, MiB. */
  readonly memory?: number;
  /** What the floor was measured with. */
  readonly against?: string;
};

/** Prints one JSON line, with the load of the machine: figures of a busy one are worth their ratio only. */
export function report(figure: Omit<Figure, 'ratio'>): void {
  const { value, floor, limit } = figure;
  const ratio = floor === undefined ? {} : { ratio: round(value / floor) };
  const rounded = {
    value: round(value),
    ...(floor !== undefined && { floor: round(floor) }),
    ...(limit !== undefined && { limit: round(limit) }),
  };
  console.log(JSON.stringify({ ...figure, ...rounded, ...ratio, load: round(loadavg()[0] ?? 0) }));
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Milliseconds a body takes. */
export async function timed(body: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await body();
  return performance.now() - start;
}

const round = (value: number): number => Number(value.toPrecision(3));
