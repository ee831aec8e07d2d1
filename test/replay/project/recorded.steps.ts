import { writeFile } from 'node:fs/promises';
import { model, step } from 'millrace';
import { z } from 'zod';

const number = z.object({ n: z.number() });

export const double = step({ name: 'double', isolation: 'none', input: number, output: number }, ({ n }) => ({
  n: n * 2,
}));
export const add = step({ name: 'add', inline: true, input: number, output: number }, ({ n }) => ({
  n: n + 1,
}));
export const train = step(
  {
    name: 'train',
    isolation: 'process',
    input: number,
    output: z.object({ model: model(), auc: z.number() }),
  },
  async ({ n }, { out }) => {
    await writeFile(out.model, `weights ${n}`);
    return { auc: 0.8 };
  },
);
export const fails = step({ name: 'fails', isolation: 'none', input: number, output: number }, () => {
  throw new Error('always');
});
