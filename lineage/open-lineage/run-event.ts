/** The parts of OpenLineage's format, version 2-0-2, that our events have. */
export type RunEvent = {
  readonly eventType: 'START' | 'COMPLETE' | 'FAIL' | 'ABORT';
  readonly eventTime: string;
  readonly producer: string;
  readonly schemaURL: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: JobName & { readonly facets: Facets };
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly Dataset[];
};
export type JobName = { readonly namespace: string; readonly name: string };
export type Dataset = JobName & {
  readonly facets: Facets;
  readonly outputFacets?: Facets;
};
export type Facet = {
  readonly _producer: string;
  readonly _schemaURL: string;
  readonly [field: string]: unknown;
};
export type Facets = Readonly<Record<string, Facet>>;

export const schemaURL = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';

/** Each standard facet's name in an event, with the version of its schema. */
const standard = {
  parent: ['1-2-0', 'ParentRunFacet'],
  nominalTime: ['1-0-1', 'NominalTimeRunFacet'],
  errorMessage: ['1-0-1', 'ErrorMessageRunFacet'],
  processing_engine: ['1-1-1', 'ProcessingEngineRunFacet'],
  executionParameters: ['1-0-0', 'ExecutionParametersRunFacet'],
  tags: ['1-0-0', 'TagsRunFacet'],
  jobType: ['2-0-4', 'JobTypeJobFacet'],
  sourceCodeLocation: ['1-1-0', 'SourceCodeLocationJobFacet'],
  documentation: ['1-1-0', 'DocumentationJobFacet'],
  version: ['1-0-1', 'DatasetVersionDatasetFacet'],
  symlinks: ['1-0-1', 'SymlinksDatasetFacet'],
  outputStatistics: ['1-0-2', 'OutputStatisticsOutputDatasetFacet'],
} as const;

export type FacetName = keyof typeof standard;

/** Makes the facets of one producer. */
export const facetMaker = (producer: string) => ({
  facet: (name: FacetName, fields: Readonly<Record<string, unknown>>): Facets => {
    const [version, type] = standard[name];
    const url = `https://openlineage.io/spec/facets/${version}/${type}.json#/$defs/${type}`;
    return { [name]: { _producer: producer, _schemaURL: url, ...fields } };
  },
  /** A facet of our own, described in docs/lineage.md. */
  ownFacet: (name: string, fields: Readonly<Record<string, unknown>>): Facets => ({
    [`millrace_${name}`]: { _producer: producer, _schemaURL: `urn:millrace:facet:${name}:1`, ...fields },
  }),
});
