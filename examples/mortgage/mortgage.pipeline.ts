import { approval, atLeast, atMost, dataset, gate, pipeline, promote, register, warn } from 'millrace';
import { z } from 'zod';
import { evaluate, train, validate } from './mortgage.steps.js';

export const mortgage = pipeline(
  {
    name: 'mortgage',
    description:
      'Who will be denied a mortgage: from applications to a champion model, with a person in between.',
    input: z.object({
      csv: dataset(),
      /** AUC on the held-out part below which no version is registered. */
      minAuc: z.number().min(0).max(1).default(0.75),
      /** Fixes the split and each model: the same seed gives the same figures. */
      seed: z.number().int().default(7),
    }),
  },
  async ({ csv, minAuc, seed }) => {
    const data = await validate({ csv, seed });
    const models = await Promise.all(
      (['forest', 'boosting', 'logistic'] as const).map((kind) => train({ table: data.train, kind, seed })),
    );
    const best = models.reduce((a, b) => (a.auc >= b.auc ? a : b));

    const { report, ...metrics } = await evaluate({ model: best.model, table: data.test });
    const evidence = { report, data: data.report, kind: best.kind, metrics };
    await gate(
      'quality',
      { auc: atLeast(metrics.auc, minAuc), gap: warn(atMost(metrics.gap, 0.1)) },
      { evidence },
    );

    const candidate = await register('mortgage', { model: best.model, metrics, evidence });
    await approval('release', { of: candidate, evidence, within: '3 days' });
    const { name, version, alias } = await promote(candidate);
    return { model: { name, version, alias }, metrics };
  },
);
