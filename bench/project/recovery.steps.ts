import { step } from 'millrace';
import { z } from 'zod';

const io = z.object({ index: z.number() });

/** Fails for the numbers that the bench names; counts the calls that really ran. */
export const shaky = step({ name: 'shaky', isolation: 'none', input: io, output: io }, ({ index }) => {
  const bench = globalThis as {
    millraceBenchExecuted?: number;
    millraceBenchFailing?: ReadonlySet<number>;
  };
  bench.millraceBenchExecuted = (bench.millraceBenchExecuted ?? 0) + 1;
  if (bench.millraceBenchFailing?.has(index)) throw new Error('on purpose');
  return { index };
});
