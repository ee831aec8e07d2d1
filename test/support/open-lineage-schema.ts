import { z } from 'zod';

/**
 * What OpenLineage 2-0-2 says of a RunEvent and of the facets that Millrace writes, in our own words and stricter than it: unknown
 * keys outside of facets are refused.
 */
const facet = z.looseObject({ _producer: z.url(), _schemaURL: z.url() });
const specified = <T extends z.ZodRawShape>(type: string, shape: T) =>
  facet.extend({
    _schemaURL: z
      .url()
      .regex(
        new RegExp(`^https://openlineage\\.io/spec/facets/\\d+-\\d+-\\d+/${type}\\.json#/\\$defs/${type}$`),
      ),
    ...shape,
  });
/** Names that the specification does not know bear a prefix of their producer. */
const facets = <T extends z.ZodRawShape>(shape: T) =>
  z
    .object(shape)
    .catchall(facet)
    .refine((value) => Object.keys(value).every((key) => key in shape || key.startsWith('millrace_')));

const job = { namespace: z.string().min(1), name: z.string().min(1) };
const runRef = z.object({ runId: z.uuid() });
const date = z.iso.datetime();

const runFacets = facets({
  parent: specified('ParentRunFacet', {
    run: runRef,
    job: z.object(job),
    root: z.object({ run: runRef, job: z.object(job) }).optional(),
  }).optional(),
  nominalTime: specified('NominalTimeRunFacet', {
    nominalStartTime: date,
    nominalEndTime: date.optional(),
  }).optional(),
  errorMessage: specified('ErrorMessageRunFacet', {
    message: z.string(),
    programmingLanguage: z.string(),
  }).optional(),
  processing_engine: specified('ProcessingEngineRunFacet', {
    version: z.string(),
    name: z.string().optional(),
    openlineageAdapterVersion: z.string().optional(),
  }).optional(),
  executionParameters: specified('ExecutionParametersRunFacet', {
    parameters: z.array(z.strictObject({ key: z.string(), value: z.string().optional() })),
  }).optional(),
  tags: specified('TagsRunFacet', {
    tags: z.array(z.object({ key: z.string(), value: z.string(), source: z.string() })),
  }).optional(),
});
const jobFacets = facets({
  jobType: specified('JobTypeJobFacet', {
    processingType: z.enum(['BATCH', 'STREAMING', 'SERVICE']),
    integration: z.string(),
    jobType: z.string().optional(),
  }),
  sourceCodeLocation: specified('SourceCodeLocationJobFacet', {
    type: z.string(),
    url: z.url(),
    version: z.string().optional(),
  }).optional(),
  documentation: specified('DocumentationJobFacet', { description: z.string() }).optional(),
});
const datasetFacets = facets({
  version: specified('DatasetVersionDatasetFacet', { datasetVersion: z.string() }).optional(),
  symlinks: specified('SymlinksDatasetFacet', {
    identifiers: z.array(z.object({ ...job, type: z.string() })),
  }).optional(),
});
const dataset = { ...job, facets: datasetFacets };

export const openLineageRunEvent = z.strictObject({
  eventType: z.enum(['START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER']),
  eventTime: date,
  producer: z.url(),
  schemaURL: z.literal('https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent'),
  run: z.strictObject({ runId: z.uuid(), facets: runFacets }),
  job: z.strictObject({ ...job, facets: jobFacets }),
  inputs: z.array(z.strictObject(dataset)),
  outputs: z.array(
    z.strictObject({
      ...dataset,
      outputFacets: facets({
        outputStatistics: specified('OutputStatisticsOutputDatasetFacet', { size: z.int() }).optional(),
      }).optional(),
    }),
  ),
});
export type OpenLineageRunEvent = z.infer<typeof openLineageRunEvent>;

/** The event, when it is one. @throws naming each field that is not as it must be */
export const openLineageEvent = (value: unknown): OpenLineageRunEvent => openLineageRunEvent.parse(value);
