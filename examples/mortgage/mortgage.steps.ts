import { dataset, model, report, step } from 'millrace';
import { z } from 'zod';

// One source and one image for all three: the packages of trainer/requirements.txt are installed once.
const python = {
  image: 'python:3.12-slim',
  source: './trainer',
  // One thread each: two trainings share two cpus, and sums come in the same order on every machine.
  env: { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  resources: { cpus: 1, memory: '1GiB' },
  timeout: '10 minutes',
} as const;

export const validate = step({
  ...python,
  name: 'validate',
  command: ['python', 'validate.py'],
  input: z.object({ csv: dataset(), seed: z.number().int() }),
  output: z.object({
    train: dataset(),
    test: dataset(),
    report: report(),
    counts: z.object({ rows: z.number().int(), train: z.number().int(), test: z.number().int() }),
    /** Share of the applications that were denied. */
    denied: z.number().min(0).max(1),
  }),
});

const kinds = ['forest', 'boosting', 'logistic'] as const;

export const train = step({
  ...python,
  name: 'train',
  // A script with a command line of its own: placeholders give it paths and values.
  command: [
    'python', 'train.py', '--kind', '{input.kind}', '--seed', '{input.seed}', '--data', '{in.table}', '--out', '{out.model}',
  ], // prettier-ignore
  input: z.object({ table: dataset(), kind: z.enum(kinds), seed: z.number().int() }),
  output: z.object({
    model: model(),
    kind: z.enum(kinds),
    /** Mean over folds of the training part: the held-out part chooses nothing. */
    auc: z.number().min(0).max(1),
  }),
  retry: { attempts: 2 },
});

export const evaluate = step({
  ...python,
  name: 'evaluate',
  command: ['python', 'evaluate.py'],
  input: z.object({ model: model(), table: dataset() }),
  output: z.object({
    auc: z.number().min(0).max(1),
    brier: z.number().min(0).max(1),
    /** Difference of the approval rates of the two groups. */
    gap: z.number().min(0).max(1),
    report: report(),
  }),
});
