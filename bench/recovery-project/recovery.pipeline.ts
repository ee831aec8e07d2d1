import { pipeline } from 'millrace';
import { z } from 'zod';
import { fragile, stubborn, train } from './recovery.steps.js';

const none = z.object({});

export const training = pipeline(
  { name: 'training', input: z.object({ steps: z.number().int(), ticks: z.number().int() }) },
  async ({ steps, ticks }) =>
    Promise.all(Array.from({ length: steps }, async () => (await train({ ticks })).ticks)),
);

export const holding = pipeline({ name: 'holding', input: none }, async () => {
  await stubborn({});
});

export const mending = pipeline({ name: 'mending', input: none }, async () => {
  await fragile({ works: false });
});
