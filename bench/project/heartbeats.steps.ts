import { setTimeout as pause } from 'node:timers/promises';
import { step } from 'millrace';
import { z } from 'zod';

/** Takes nothing but what it costs to be watched. */
export const waits = step(
  {
    name: 'waits',
    isolation: 'none',
    resources: { cpus: 0.001, memory: '1MiB' },
    input: z.object({ index: z.number() }),
    output: z.object({}),
  },
  async (_, { signal }) => {
    const counter = globalThis as { millraceBenchExecuted?: number };
    counter.millraceBenchExecuted = (counter.millraceBenchExecuted ?? 0) + 1;
    await pause(3_600_000, undefined, { signal });
    return {};
  },
);
