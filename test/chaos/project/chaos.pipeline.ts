import { gate, pipeline, promote, register, within } from 'millrace';
import { z } from 'zod';
import { join, shard, verify } from './chaos.steps.js';

export const chaos = pipeline(
  {
    name: 'chaos',
    input: z.object({
      number: z.number().int(),
      shards: z.array(z.string()),
      ticks: z.number().int(),
      gobble: z.boolean(),
    }),
  },
  async ({ number, shards, ticks, gobble }) => {
    const parts = await Promise.all(shards.map((values) => shard({ values, ticks })));
    const sum = parts.reduce((all, part) => all + part.sum, 0);
    const joined = await join({ tables: parts.map(({ table }) => table), total: sum, gobble });
    const { total } = await verify({ model: joined.model });
    await gate('total', { total: within(total, sum, sum) });
    const candidate = await register('chaos', { model: joined.model, metrics: { total } });
    const { version } = await promote(candidate);
    return { number, total, version };
  },
);
