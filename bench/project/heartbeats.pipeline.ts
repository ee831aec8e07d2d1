import { pipeline } from 'millrace';
import { z } from 'zod';
import { waits } from './heartbeats.steps.js';

export const waiting = pipeline(
  { name: 'waiting', input: z.object({ steps: z.number().int() }) },
  async ({ steps }) => {
    await Promise.all(Array.from({ length: steps }, (_, index) => waits({ index })));
  },
);
