import { createHash } from 'node:crypto';
import type { ChaosInput } from './plan.js';

/** What the pipeline in project/ must give, computed here from its input alone. */
export type ExpectedRun = {
  readonly total: number;
  /** Digest of the model that is registered. */
  readonly model: string;
};

/** Attempts of steps that fail because they are told to. */
export const failingStep = 'verify';
export const gobblingStep = 'join';
/** By what a masked secret is shown. */
const secret = '***';

export function expectedRun({ shards, ticks }: ChaosInput): ExpectedRun {
  const sums = shards.map((values) => sumAt(values, ticks));
  const model = shards.map((values, index) => `${values}: ${sums[index]}\n`).join('');
  return {
    total: sums.reduce((all, sum) => all + sum, 0),
    model: `sha256:${createHash('sha256').update(model).digest('hex')}`,
  };
}

/** Every container step of a run. */
export const containerSteps = ({ shards }: ChaosInput): readonly string[] => [
  ...shards.map((_, index) => (index === 0 ? 'shard' : `shard#${index + 1}`)),
  gobblingStep,
  failingStep,
];

/** Whether that attempt of a step does not come to its end by design. */
export const failsByDesign = (step: string, attempt: number, { gobble }: ChaosInput): boolean =>
  attempt === 1 && (step === failingStep || (step === gobblingStep && gobble));

/**
 * What an attempt of a step prints on its way to its end.
 * @param from the tick it found in its checkpoint
 */
export function expectedLines(
  { step, attempt, from }: { readonly step: string; readonly attempt: number; readonly from: number },
  input: ChaosInput,
): readonly string[] {
  const begin = `begin at ${from}`;
  if (failsByDesign(step, attempt, input))
    return [begin, step === failingStep ? 'failing by design' : 'gobbling'];
  const { total } = expectedRun(input);
  const { ticks, shards } = input;
  if (step === failingStep) return [begin, `checked ${total}`];
  if (step === gobblingStep)
    return [begin, ...shards.map((values) => `row ${values}: ${sumAt(values, ticks)}`), `total ${total}`];
  const values = shards[shardIndex(step)] ?? '';
  const said = Array.from({ length: Math.max(0, ticks - from) }, (_, index) => {
    const tick = from + index + 1;
    return `tick ${tick} ${sumAt(values, tick)}`;
  });
  return [begin, `token ${secret}`, ...said, `sum ${sumAt(values, ticks)}`];
}

const shardIndex = (step: string): number => Number(/#(\d+)$/.exec(step)?.[1] ?? 1) - 1;

function sumAt(values: string, ticks: number): number {
  const numbers = values.split(' ').map(Number);
  let sum = 0;
  for (let tick = 1; tick <= ticks; tick += 1) sum += (numbers[(tick - 1) % numbers.length] ?? 0) * tick;
  return sum;
}
