import { pipeline } from 'millrace';
import { z } from 'zod';
import { glue, kept, plain } from './overhead.steps.js';

const input = z.object({ steps: z.number().int(), from: z.number().int() });

export const sequential = pipeline({ name: 'sequential', input }, async ({ steps, from }) => {
  for (let index = from; index < from + steps; index++) await plain({ index });
});

export const inline = pipeline({ name: 'inline', input }, async ({ steps, from }) => {
  for (let index = from; index < from + steps; index++) await glue({ index });
});

export const cached = pipeline({ name: 'cached', input }, async ({ steps, from }) => {
  for (let index = from; index < from + steps; index++) await kept({ index });
});

export const one = pipeline({ name: 'one', input }, async ({ from }) => plain({ index: from }));
