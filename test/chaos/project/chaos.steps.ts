import { dataset, model, step } from 'millrace';
import { z } from 'zod';

const common = { image: 'busybox:latest', source: './scripts', timeout: '10 minutes' } as const;
const resources = { cpus: 0.2, memory: '32MiB' } as const;

/** Nothing that goes wrong around it is its author's: one attempt must be enough. */
export const shard = step({
  ...common,
  name: 'shard',
  command: ['sh', 'shard.sh', '{input.values}', '{input.ticks}'],
  input: z.object({ values: z.string(), ticks: z.number().int() }),
  output: z.object({ table: dataset(), sum: z.number() }),
  resources,
  secrets: ['CHAOS_TOKEN'],
});

export const join = step({
  ...common,
  name: 'join',
  command: ['sh', 'join.sh', '{input.total}', '{input.gobble}'],
  input: z.object({ tables: z.array(dataset()), total: z.number(), gobble: z.boolean() }),
  output: z.object({ model: model(), total: z.number() }),
  resources,
  retry: { onOutOfMemory: { memory: 'x2', max: '64MiB' } },
});

export const verify = step({
  ...common,
  name: 'verify',
  command: ['sh', 'verify.sh'],
  input: z.object({ model: model() }),
  output: z.object({ total: z.number() }),
  resources,
  retry: { attempts: 2 },
});
