import type { AliasChange, ArtifactRef, GateOutcome, ModelVersion } from 'millrace';
import { approval, atLeast, dataset, fetchData, gate, pipeline, promote, register } from 'millrace';
import type { MillraceClient, RunHandle } from 'millrace/client';
import { z } from 'zod';
import type { Same } from './expect-type.js';
import { holds } from './expect-type.js';

declare const client: MillraceClient;
declare const rows: ArtifactRef<'dataset'>;
declare const trained: ArtifactRef<'model'>;
declare const anyName: string;

const credit = pipeline(
  { name: 'credit', input: z.object({ csv: dataset(), minAuc: z.number().default(0.75) }) },
  async (input) => {
    holds<Same<typeof input, { csv: ArtifactRef<'dataset'>; minAuc: number }>>();
    const outcome = await gate('quality', { auc: atLeast(1, input.minAuc) });
    holds<Same<typeof outcome, GateOutcome>>();
    const version = await register('credit', { model: trained });
    holds<Same<typeof version, ModelVersion>>();
    await approval('release', { of: version, within: '3 days' });
    const change = await promote(version);
    holds<Same<typeof change, AliasChange>>();
    return { version: version.version, auc: 0.8 };
  },
);

// One pipeline calls another as it calls a step.
pipeline({ name: 'parent', input: z.object({}) }, async () => {
  const child = await credit({ csv: rows });
  holds<Same<typeof child, { version: number; auc: number }>>();
  // @ts-expect-error a model where a dataset is wanted
  await credit({ csv: trained });
  // @ts-expect-error a field the pipeline does not have
  await credit({ csv: rows, minAcu: 0.5 });
  // @ts-expect-error only a model is registered
  await register('credit', { model: rows });
  // @ts-expect-error a check is made of numbers
  await gate('quality', { auc: 0.8 });
  // @ts-expect-error an approval is of a registered version, not of a model
  await approval('release', { of: trained });
  const data = await fetchData('https://example.org/rows.csv');
  holds<Same<typeof data, ArtifactRef<'dataset'>>>();
  const other = await fetchData('https://example.org/model.bin', { kind: 'model' });
  holds<Same<typeof other, ArtifactRef<'model'>>>();
});

// An application starts it with its own input and gets its own result.
const run = await client.start(credit, { csv: rows }, { runId: 'a', tags: { by: 'test' }, timeout: '1h' });
holds<Same<typeof run, RunHandle<{ version: number; auc: number }>>>();
const result = await run.result();
holds<Same<typeof result, { version: number; auc: number }>>();
// @ts-expect-error the result has no such field
void result.acu;
// @ts-expect-error a model where a dataset is wanted
await client.start(credit, { csv: trained });
// @ts-expect-error a field the pipeline does not have
await client.start(credit, { csv: rows, minAcu: 0.5 });
// @ts-expect-error a field is missing
await client.start(credit, {});
// @ts-expect-error a text where a number is wanted
await client.start(credit, { csv: rows, minAuc: 'high' });
// @ts-expect-error an option nobody knows
await client.start(credit, { csv: rows }, { runID: 'a' });
// @ts-expect-error a pipeline is started, not its body
await client.start(async () => 1, {});

// By name nothing is known of input and result.
const named = await client.start(anyName, { whatever: true });
const unknownResult = await named.result();
holds<Same<typeof unknownResult, unknown>>();

const uploaded = await client.upload('./rows.csv');
holds<Same<typeof uploaded, ArtifactRef<'dataset'>>>();
const uploadedModel = await client.upload('./model', { kind: 'model' });
holds<Same<typeof uploadedModel, ArtifactRef<'model'>>>();
// @ts-expect-error a kind nobody knows
await client.upload('./model', { kind: 'sofa' });
await run.decide('release', { decision: 'approved' });
// @ts-expect-error an answer nobody knows
await run.decide('release', { decision: 'perhaps' });
