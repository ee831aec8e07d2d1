import { pipeline } from 'millrace';
import { z } from 'zod';
import { shaky } from './recovery.steps.js';

/** Runs its steps side by side, all of them, before a failure ends it. */
export const fanned = pipeline(
  { name: 'fanned', input: z.object({ steps: z.number().int() }) },
  async ({ steps }) => {
    const made = await Promise.allSettled(Array.from({ length: steps }, (_, index) => shaky({ index })));
    const failed = made.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason as Error;
    return { steps: made.length };
  },
);
