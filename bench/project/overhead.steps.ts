import { step } from 'millrace';
import { z } from 'zod';

const input = z.object({ index: z.number() });
const output = z.object({ index: z.number() });

/** Counts the calls that really ran, for the `executed` of each figure. */
const count = ({ index }: { readonly index: number }) => {
  const counter = globalThis as { millraceBenchExecuted?: number };
  counter.millraceBenchExecuted = (counter.millraceBenchExecuted ?? 0) + 1;
  return { index };
};

export const plain = step({ name: 'plain', isolation: 'none', input, output }, count);
export const glue = step({ name: 'glue', inline: true, input, output }, count);
export const kept = step({ name: 'kept', isolation: 'none', cache: true, input, output }, count);
