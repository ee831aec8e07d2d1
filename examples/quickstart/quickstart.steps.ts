import { readFile, writeFile } from 'node:fs/promises';
import { dataset, step } from 'millrace';
import { z } from 'zod';

const table = z.object({ table: dataset() });
const line = z.object({ slope: z.number(), r2: z.number() });

export const measure = step(
  { name: 'measure', isolation: 'none', input: z.object({ points: z.number() }), output: table },
  async ({ points }, { out }) => {
    const rows = Array.from({ length: points }, (_, x) => `${x},${3 * x + 2 + 5 * Math.sin(x)}`);
    await writeFile(out.table, rows.join('\n'));
    return {};
  },
);

export const fit = step({ name: 'fit', isolation: 'process', input: table, output: line }, async (input) => {
  const rows = (await readFile(input.table.path, 'utf8'))
    .split('\n')
    .map((row) => row.split(',').map(Number));
  const mean = (of: (x: number, y: number) => number) =>
    rows.reduce((sum, [x = 0, y = 0]) => sum + of(x, y), 0) / rows.length;
  const [x0, y0] = [mean((x) => x), mean((_, y) => y)];
  const xx = mean((x) => (x - x0) ** 2);
  const xy = mean((x, y) => (x - x0) * (y - y0));
  const yy = mean((_, y) => (y - y0) ** 2);
  return { slope: xy / xx, r2: xy ** 2 / (xx * yy) };
});
