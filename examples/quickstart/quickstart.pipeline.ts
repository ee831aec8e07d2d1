import { atLeast, gate, pipeline } from 'millrace';
import { z } from 'zod';
import { fit, measure } from './quickstart.steps.js';

const input = z.object({ points: z.number().int().min(2).default(100) });
export const quickstart = pipeline({ name: 'quickstart', input }, async ({ points }) => {
  const { table } = await measure({ points });
  const line = await fit({ table });
  await gate('straight', { r2: atLeast(line.r2, 0.95) });
  return line;
});
