import type { EndSignal, FaultKind, Plan, PlannedFault, PlannedRun, Wave } from './plan.js';
import type { Random } from './random.js';
import { seededRandom } from './random.js';

export type PlanOptions = {
  readonly runs: number;
  readonly seed: number;
  /** Which faults there may be; none means a quiet time. */
  readonly kinds: readonly FaultKind[];
  /** Runs under way together. Default 3. */
  readonly atOnce?: number;
  /** Faults of each wave of runs. Default 3. */
  readonly faultsAtOnce?: number;
  /** Shorter steps and outages, for CI. Default false. */
  readonly short?: boolean;
};

const shards = 3;
/** How long a worker or the service is away, ms. */
const briefMs = [200, 5_000] as const;
const longMs = [20_000, 40_000] as const;
/** While the runs of a wave are at work, when nothing goes wrong. */
const busyMs = 9_000;

/** Draws everything that will happen before anything starts: the same options give the same plan. */
export function drawPlan(options: PlanOptions): Plan {
  const { runs, seed, kinds, atOnce = 3, faultsAtOnce = 3, short = false } = options;
  const random = seededRandom(seed);
  const deal = dealer(kinds, random);
  const liveRestore = random.chance(0.5);
  const followed = engineChain(liveRestore);
  const waves: Wave[] = [];
  for (let first = 1; first <= runs; first += atOnce) {
    const numbers = Array.from({ length: Math.min(atOnce, runs - first + 1) }, (_, index) => first + index);
    const plain = numbers.map((number) => drawRun(number, { random, short }));
    const faults = Array.from({ length: faultsAtOnce }, deal)
      .filter((kind) => kind !== undefined)
      .map((kind) => drawFault(kind, { random, runs: plain, short }))
      .sort((a, b) => a.atMs - b.atMs)
      .map(followed);
    const gobbling = new Set(faults.map((fault) => (fault.kind === 'memory' ? fault.run : undefined)));
    waves.push({
      runs: plain.map((run) => ({ ...run, input: { ...run.input, gobble: gobbling.has(run.id) } })),
      faults,
    });
  }
  return { seed, liveRestore, waves };
}

/** Each kind once, in a drawn order, before any comes again. */
function dealer(kinds: readonly FaultKind[], random: Random): () => FaultKind | undefined {
  let deck: FaultKind[] = [];
  return () => {
    if (deck.length === 0) deck = random.shuffled(kinds);
    return deck.pop();
  };
}

/** Each engine that goes is the one that came last: what it keeps is known once their order is. */
function engineChain(first: boolean): (fault: PlannedFault) => PlannedFault {
  let liveRestore = first;
  return (fault) => {
    if (fault.kind !== 'engine') return fault;
    const followed = { ...fault, liveRestore };
    liveRestore = fault.next;
    return followed;
  };
}

function drawRun(
  number: number,
  { random, short }: { readonly random: Random; readonly short: boolean },
): PlannedRun {
  return {
    id: `chaos-${number}`,
    afterMs: random.between(0, 1_500),
    input: {
      number,
      // The run's number is among them: no two runs have the same work.
      shards: Array.from({ length: shards }, (_, shard) =>
        [number, shard, ...Array.from({ length: 4 }, () => random.between(1, 999))].join(' '),
      ),
      ticks: short ? random.between(8, 12) : random.between(12, 25),
      gobble: false,
    },
  };
}

type Drawing = {
  readonly random: Random;
  readonly runs: readonly PlannedRun[];
  readonly short: boolean;
};

function drawFault(kind: FaultKind, { random, runs, short }: Drawing): PlannedFault {
  const atMs = random.between(500, busyMs);
  const worker = random.between(0, 1);
  // Long enough for what waits for it to be given up, sometimes.
  const [least, most] = random.chance(0.5) ? longMs : briefMs;
  const downMs = random.between(least, most);
  const signal = random.oneOf<EndSignal>(['SIGKILL', 'SIGTERM']);
  const run = runs[random.between(0, runs.length - 1)]?.id ?? '';
  switch (kind) {
    case 'kill':
      return { kind, atMs, worker, downMs };
    case 'deploy':
      return { kind, atMs, worker };
    case 'temporal':
      return { kind, atMs, signal, downMs };
    case 'engine':
      return {
        kind,
        atMs,
        signal,
        downMs: Math.min(downMs, briefMs[1]),
        liveRestore: false,
        next: random.chance(0.5),
      };
    case 'store':
      return { kind, atMs, downMs: short ? 6_000 : 30_000 };
    case 'container':
      return {
        kind,
        atMs: 0,
        run,
        step: random.oneOf(['shard', 'shard#2', 'shard#3', 'join', 'verify']),
        afterMs: random.between(0, 1_500),
      };
    case 'memory':
      return { kind, atMs: 0, run };
    case 'disk':
      return { kind, atMs, fullMs: short ? 4_000 : random.between(3_000, 12_000) };
  }
}
