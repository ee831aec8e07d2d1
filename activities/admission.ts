import { CapacityExceeded } from '../sdk/errors.js';
import { formatBytes } from '../sdk/bytes.js';
import type { StepSpec } from '../sdk/step-spec.js';

/** What a host gives to steps in all. */
export type Capacity = {
  readonly cpus: number;
  /** Bytes. */ readonly memory: number;
  readonly gpus: number;
};

export interface Admission {
  readonly capacity: Capacity;
  /**
   * Waits until there is room, first come, first served.
   * @param options.onWait called with what it waits for: `needs 2 cpus`
   * @returns gives the room back
   * @throws CapacityExceeded when it could never be placed; the signal's reason when it aborts
   */
  acquire(
    resources: StepSpec['resources'],
    options: { readonly signal: AbortSignal; readonly onWait: (detail: string) => void },
  ): Promise<() => void>;
  /**
   * Counts what runs here already, whether there is room for it or not: what comes next waits the longer.
   * @returns gives the room back
   */
  count(resources: StepSpec['resources']): () => void;
}

type Waiting = { readonly needs: Capacity; readonly admit: () => void };

/** Steps on one host never use more than its capacity. A large step is not overtaken, so that it is not starved. */
export function createAdmission(capacity: Capacity): Admission {
  const free = { ...capacity };
  const queue: Waiting[] = [];

  const fits = (needs: Capacity) => shortage(needs, free).length === 0;
  const take = (needs: Capacity, sign: 1 | -1) => {
    free.cpus = round(free.cpus - sign * needs.cpus);
    free.memory -= sign * needs.memory;
    free.gpus -= sign * needs.gpus;
  };
  const admitNext = () => {
    for (let next = queue[0]; next && fits(next.needs); next = queue[0]) {
      queue.shift();
      take(next.needs, 1);
      next.admit();
    }
  };
  const release = (needs: Capacity) => {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      take(needs, -1);
      admitNext();
    };
  };

  return {
    capacity,
    count({ cpus, memory, gpus }) {
      const needs = { cpus, memory, gpus };
      take(needs, 1);
      return release(needs);
    },
    async acquire({ cpus, memory, gpus }, { signal, onWait }) {
      const needs = { cpus, memory, gpus };
      refuseImpossible(needs, capacity);
      signal.throwIfAborted();
      // What takes no place stands behind nobody.
      if (cpus === 0 && memory === 0 && gpus === 0) return () => undefined;
      if (queue.length === 0 && fits(needs)) {
        take(needs, 1);
        return release(needs);
      }
      const lacking = shortage(needs, free);
      onWait(lacking.length > 0 ? `needs ${lacking.join(', ')}` : 'behind a larger step');
      await new Promise<void>((resolve, reject) => {
        const waiting: Waiting = {
          needs,
          admit: () => {
            signal.removeEventListener('abort', leave);
            resolve();
          },
        };
        const leave = () => {
          queue.splice(queue.indexOf(waiting), 1);
          reject(signal.reason as Error);
          admitNext();
        };
        signal.addEventListener('abort', leave, { once: true });
        queue.push(waiting);
      });
      return release(needs);
    },
  };
}

/** @throws CapacityExceeded naming what the host lacks */
export function refuseImpossible(needs: Capacity, capacity: Capacity): void {
  const lacking = shortage(needs, capacity);
  if (lacking.length === 0) return;
  throw new CapacityExceeded(
    `The step needs ${lacking.join(', ')}, and the worker has ${amounts(capacity).join(', ')}.`,
    {
      hint: "Lower the step's `resources` or start a larger worker.",
      fields: { needs, capacity },
    },
  );
}

function shortage(needs: Capacity, has: Capacity): readonly string[] {
  const [cpus, memory, gpus] = amounts(needs);
  return [
    needs.cpus > has.cpus && cpus,
    needs.memory > has.memory && memory,
    needs.gpus > has.gpus && gpus,
  ].filter((each) => typeof each === 'string');
}

const amounts = ({ cpus, memory, gpus }: Capacity): readonly [string, string, string] => [
  `${cpus} ${cpus === 1 ? 'cpu' : 'cpus'}`,
  `${formatBytes(memory)} memory`,
  `${gpus} ${gpus === 1 ? 'gpu' : 'gpus'}`,
];

// Fractions of CPUs add up exactly enough at a thousandth.
const round = (value: number): number => Math.round(value * 1000) / 1000;
