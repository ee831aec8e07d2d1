import { approval, pipeline, StepTimeout } from 'millrace';
import { z } from 'zod';
import { boxed, flaky, hopeless, long, mendable, optional, slow } from './failing.steps.js';
import { inner } from './recorded.pipeline.js';
import { train } from './recorded.steps.js';

const number = z.object({ n: z.number() });

export const leaving = pipeline(
  { name: 'leaving', input: number },
  async ({ n }) => (await optional({ n })).n ?? n,
);

/** Tried again, repaired, given by hand, out of time, left out. */
export const mended = pipeline({ name: 'mended', input: number }, async ({ n }) => {
  const second = await flaky({ n });
  const repaired = await mendable({ n: second.n, good: false });
  const given = await hopeless(repaired);
  try {
    await slow({ n });
  } catch (error) {
    if (!(error instanceof StepTimeout)) throw error;
  }
  await leaving({ n });
  return inner(given);
});

export const lost = pipeline({ name: 'lost', input: number }, async ({ n }) => long({ n }));
export const adopted = pipeline({ name: 'adopted', input: number }, async ({ n }) => boxed({ n }));

/** Ends at its approval, and is recovered. */
export const redone = pipeline({ name: 'redone', input: number }, async ({ n }) => {
  const { auc } = await train({ n });
  const total = await inner({ n });
  await approval('go');
  return { auc, total };
});
