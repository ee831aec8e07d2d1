import type { ArtifactRef } from '../../sdk/artifact.js';
import { isArtifactRef, walkArtifacts } from '../../sdk/artifact.js';
import type { ArtifactRecord, VersionRecord } from '../../store/catalog.js';
import type { Dataset, facetMaker } from './run-event.js';

/**
 * Content is a dataset of its own, named by its digest: whatever reads it reads the same one, and nothing else is taken for
 * it. Its names for people are symlinks.
 */
export const artifactNamespace = 'millrace:artifacts';

type Made = {
  /** Namespace of names for people. */
  readonly namespace: string;
  /** Its name for people. Default: the artifact's own. */
  readonly name?: string;
  readonly facets: ReturnType<typeof facetMaker>;
};

export const inputDataset = (
  { digest, $artifact, type, size, name }: ArtifactRef,
  { namespace, name: logical = name, facets }: Made,
): Dataset => ({
  namespace: artifactNamespace,
  name: digest,
  facets: {
    ...facets.facet('version', { datasetVersion: digest }),
    ...facets.facet('symlinks', { identifiers: [{ namespace, name: logical, type: 'ARTIFACT' }] }),
    ...facets.ownFacet('artifact', { kind: $artifact, type, size, name }),
  },
});

export const outputDataset = (artifact: ArtifactRef, made: Made): Dataset => ({
  ...inputDataset(artifact, made),
  outputFacets: made.facets.facet('outputStatistics', { size: artifact.size }),
});

/** A registered version of a model: one dataset for all, told apart by the version facet; its bytes are the symlink. */
export const versionDataset = (
  { name, version, model }: VersionRecord,
  { namespace, facets }: Made,
): Dataset => ({
  namespace,
  name: `models/${name}`,
  facets: {
    ...facets.facet('version', { datasetVersion: String(version) }),
    ...facets.facet('symlinks', {
      identifiers: [{ namespace: artifactNamespace, name: model.digest, type: 'ARTIFACT' }],
    }),
  },
});

/** What a fetch reads from: outside of Millrace, under the name its address gives it. */
export function sourceDataset(uri: string): Dataset {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (!url) return { namespace: 'file', name: uri, facets: {} };
  return url.protocol === 'file:'
    ? { namespace: 'file', name: url.pathname, facets: {} }
    : { namespace: `${url.protocol}//${url.host}`, name: url.pathname, facets: {} };
}

/** Artifacts in a JSON value, each digest once. */
export function artifactsIn(value: unknown): readonly ArtifactRef[] {
  const found = new Map<string, ArtifactRef>();
  walkArtifacts(value, (ref) => found.set(ref.digest, ref));
  return [...found.values()];
}

/** Each digest once: two fields may hold one content. */
export const byDigest = (records: readonly ArtifactRecord[]): readonly ArtifactRecord[] => [
  ...new Map(records.map((record) => [record.artifact.digest, record])).values(),
];

/** The values among a call's input, as texts of bounded length; an artifact inside one by its digest. */
export function parametersOf(input: unknown): readonly { readonly key: string; readonly value: string }[] {
  if (typeof input !== 'object' || input === null) return [];
  return Object.entries(input)
    .filter(([, value]) => value !== undefined && !isArtifactRef(value))
    .map(([key, value]) => ({
      key,
      value: JSON.stringify(value, (_, inner: unknown) =>
        isArtifactRef(inner) ? inner.digest : inner,
      ).slice(0, 1_000),
    }));
}
