import {
  approval,
  ApprovalExpired,
  atLeast,
  gate,
  pipeline,
  promote,
  register,
  sleep,
  StepFailed,
} from 'millrace';
import { z } from 'zod';
import { add, double, fails, train } from './recorded.steps.js';

const number = z.object({ n: z.number() });

export const inner = pipeline({ name: 'inner', input: number }, async ({ n }) => (await add({ n })).n);

/** A bit of every word, so that its recorded history holds each kind of command that the workflow side gives. */
export const recorded = pipeline({ name: 'recorded', input: number }, async ({ n }) => {
  const doubled = await Promise.all([n, n + 1].map((each) => double({ n: each })));
  const total = await inner({ n: doubled.reduce((sum, each) => sum + each.n, 0) });
  const trained = await train({ n: total });
  await sleep(50);
  try {
    await fails({ n });
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
  }
  await gate('quality', { auc: atLeast(trained.auc, 0.5) }, { evidence: trained });
  const candidate = await register('recorded', { model: trained.model, metrics: { auc: trained.auc } });
  try {
    await approval('never', { within: '50 ms' });
  } catch (error) {
    if (!(error instanceof ApprovalExpired)) throw error;
  }
  await approval('release', { of: candidate, within: '1 hour' });
  return promote(candidate);
});
