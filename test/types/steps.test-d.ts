import type { ArtifactRef, LocalArtifact } from 'millrace';
import { dataset, file, image, model, report, step } from 'millrace';
import { z } from 'zod';
import type { Same } from './expect-type.js';
import { holds } from './expect-type.js';

declare const rows: ArtifactRef<'dataset'>;
declare const trained: ArtifactRef<'model'>;

const train = step({
  name: 'train',
  image: image('python:3.12-slim'),
  command: ['python', 'train.py'],
  input: z.object({ table: dataset(), trees: z.number().default(100), notes: z.string().optional() }),
  output: z.object({ model: model(), plot: report().optional(), auc: z.number() }),
});

// What a pipeline gives a step, and gets from it.
void train({ table: rows });
void train({ table: rows, trees: 50, notes: 'x' });
// @ts-expect-error a field the step does not have
void train({ table: rows, tress: 50 });
// @ts-expect-error a text where a number is wanted
void train({ table: rows, trees: '50' });
// @ts-expect-error a field is missing
void train({ trees: 50 });
// @ts-expect-error a model where a dataset is wanted
void train({ table: trained });
// @ts-expect-error a path is no artifact
void train({ table: './rows.csv' });
// @ts-expect-error no input at all
void train();

type Trained = Awaited<ReturnType<typeof train>>;
holds<
  Same<Trained, { model: ArtifactRef<'model'>; plot?: ArtifactRef<'report'> | undefined; auc: number }>
>();
// @ts-expect-error this would hold if results were not typed
holds<Same<Trained['auc'], string>>();

// What a function step sees, and gives.
step(
  {
    name: 'score',
    input: z.object({
      table: dataset(),
      models: z.array(model()),
      maybe: file().optional(),
      limit: z.number().default(3),
      deep: z.object({ table: dataset(), on: z.boolean() }),
    }),
    output: z.object({ plot: report(), score: z.number(), notes: z.string().optional() }),
  },
  async (input, context) => {
    holds<Same<typeof input.table, LocalArtifact<'dataset'>>>();
    holds<Same<(typeof input.models)[number], LocalArtifact<'model'>>>();
    holds<Same<typeof input.maybe, LocalArtifact<'file'> | undefined>>();
    holds<Same<typeof input.limit, number>>();
    holds<Same<typeof input.deep.table.path, string>>();
    holds<Same<typeof input.deep.on, boolean>>();
    holds<Same<typeof context.out.plot, string>>();
    // @ts-expect-error a value is not written to a file
    void context.out.score;
    // @ts-expect-error the step has no such output
    void context.out.plots;
    // @ts-expect-error the step has no such input
    void input.tabel;
    context.metric('loss', 0.5, 3);
    // @ts-expect-error a metric is a number
    context.metric('loss', '0.5');
    return { score: 1 };
  },
);

const io = {
  name: 'io',
  input: z.object({}),
  output: z.object({ plot: report(), score: z.number(), notes: z.string().optional() }),
};
// An artifact may be left at its path, or its path given; a value that is not optional must be given.
step(io, () => ({ score: 1 }));
step(io, async () => ({ score: 1, plot: '/tmp/plot.png', notes: 'x' }));
// @ts-expect-error the value is missing
step(io, () => ({ plot: '/tmp/plot.png' }));
// @ts-expect-error the value is of another type
step(io, async () => ({ score: 'high' }));
// @ts-expect-error an artifact is given as a path
step(io, () => ({ score: 1, plot: 3 }));

// What a definition may hold.
// @ts-expect-error neither a command nor a function
step(io);
// @ts-expect-error an option nobody knows
step({ ...io, command: ['a'], reties: 3 });
// @ts-expect-error an isolation nobody knows
step({ ...io, isolation: 'vm' }, () => ({ score: 1 }));
// @ts-expect-error input is an object of fields
step({ ...io, command: ['a'], input: z.string() });
// @ts-expect-error the amount of memory is a text or a number
step({ ...io, command: ['a'], resources: { memory: true } });
