/** What is done to the parts while runs are under way. */
export const faultKinds = [
  'kill',
  'deploy',
  'temporal',
  'engine',
  'store',
  'container',
  'memory',
  'disk',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Input of the pipeline in project/. */
export type ChaosInput = {
  readonly number: number;
  /** Numbers of each parallel step, by spaces between. */
  readonly shards: readonly string[];
  /** How often each of them says where it is, a fifth of a second apart. */
  readonly ticks: number;
  /** Whether the first attempt of `join` takes more memory than it may. */
  readonly gobble: boolean;
};

export type PlannedRun = {
  readonly id: string;
  /** From the start of its wave, ms. */
  readonly afterMs: number;
  readonly input: ChaosInput;
};

type At<Kind extends FaultKind, Fields> = {
  readonly kind: Kind;
  /** From the start of its wave, ms. */
  readonly atMs: number;
} & Readonly<Fields>;

export type PlannedFault =
  /** kill -9 of a worker, which comes back after a while. */
  | At<'kill', { worker: number; downMs: number }>
  /** SIGTERM of a worker; the next one starts when it has ended. */
  | At<'deploy', { worker: number }>
  | At<'temporal', { signal: EndSignal; downMs: number }>
  /** A Docker engine that was started with or without live-restore goes; the next one has it or not. */
  | At<'engine', { signal: EndSignal; downMs: number; liveRestore: boolean; next: boolean }>
  | At<'store', { downMs: number }>
  /** `docker kill` of a step's container, so long after it was seen to run. */
  | At<'container', { run: string; step: string; afterMs: number }>
  /** Done by the step itself, by its input. */
  | At<'memory', { run: string }>
  | At<'disk', { fullMs: number }>;
export type EndSignal = 'SIGKILL' | 'SIGTERM';

/** Runs that are under way together, and what happens to them. */
export type Wave = { readonly runs: readonly PlannedRun[]; readonly faults: readonly PlannedFault[] };

export type Plan = {
  readonly seed: number;
  /** Whether the first engine keeps containers while it is away. */
  readonly liveRestore: boolean;
  readonly waves: readonly Wave[];
};
