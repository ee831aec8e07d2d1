import type { Readable } from 'node:stream';
import type { ArtifactRef, ContentType, Digest } from '../sdk/artifact.js';
import { UnknownArtifact } from '../sdk/errors.js';
import type { ArtifactStore, TreeEntry } from '../store/artifact-store.js';
import type { ArtifactRecord } from '../store/catalog.js';
import type { ContentFilter } from '../store/content-catalog.js';
import { looksLikeManifest } from '../store/tree-manifest.js';
import type { ClientParts } from './client-parts.js';
import { resolveDigest } from './resolve-digest.js';

/** Where an artifact was made or used. */
export type ArtifactPlace = Pick<ArtifactRecord, 'run' | 'path' | 'field' | 'at'>;

export type ArtifactSummary = {
  /** As it was named last. */
  readonly artifact: ArtifactRef;
  /** Oldest first; none of what was uploaded. */
  readonly madeBy: readonly ArtifactPlace[];
  readonly usedBy: readonly ArtifactPlace[];
};

export type ArtifactView = Pick<ArtifactSummary, 'madeBy' | 'usedBy'> & {
  readonly digest: Digest;
  readonly type: ContentType;
  /** Bytes; undefined of a file that no step named, until it is read. */
  readonly size?: number;
  /** Kind and name, where a step named it. */
  readonly artifact?: ArtifactRef;
  /** Of a tree, sorted by path. */
  readonly entries?: readonly TreeEntry[];
};

export async function listArtifacts(
  { catalog }: ClientParts,
  filter: ContentFilter,
): Promise<readonly ArtifactSummary[]> {
  const byDigest = new Map<Digest, ArtifactRecord[]>();
  for (const edge of await catalog.contents.find(filter))
    byDigest.set(edge.artifact.digest, [...(byDigest.get(edge.artifact.digest) ?? []), edge]);
  return [...byDigest.values()].flatMap((edges) => {
    const last = edges.at(-1);
    return last ? [{ artifact: last.artifact, ...placesOf(edges) }] : [];
  });
}

export async function viewArtifact(parts: ClientParts, text: string): Promise<ArtifactView> {
  const digest = await resolveDigest(text, parts);
  const edges = await parts.catalog.contents.edges(digest);
  const artifact = edges.at(-1)?.artifact;
  const type = await typeOf(digest, parts, artifact);
  const entries = type === 'tree' ? await parts.store.entries(digest) : undefined;
  const size = artifact?.size ?? entries?.reduce((sum, entry) => sum + entry.size, 0);
  return {
    digest,
    type,
    ...(size !== undefined && { size }),
    ...(artifact && { artifact }),
    ...(entries && { entries }),
    ...placesOf(edges),
  };
}

export async function readArtifact(
  parts: ClientParts,
  text: string,
  path: string | undefined,
): Promise<Readable> {
  const { digest, type, entries = [] } = await viewArtifact(parts, text);
  if (path === undefined && type === 'file') return parts.store.read(digest);
  const entry = entries.find((each) => each.path === path);
  if (entry) return parts.store.read(entry.digest);
  const names = entries.slice(0, 5).map((each) => each.path);
  throw new UnknownArtifact(
    path === undefined
      ? `${digest} is a folder, not a file.`
      : type === 'file'
        ? `${digest} is a file and has no \`${path}\` inside.`
        : `${digest} has no file \`${path}\`.`,
    {
      hint:
        type === 'file'
          ? 'Name it without a path.'
          : `Name a file in it: ${names.join(', ')}${entries.length > names.length ? ', …' : ''}.`,
      fields: { digest },
    },
  );
}

/** As a step named it; what none named tells itself by how it begins. @throws ArtifactMissing */
export async function typeOf(
  digest: Digest,
  { catalog, store }: Pick<ClientParts, 'catalog' | 'store'>,
  named?: Pick<ArtifactRef, 'type'>,
): Promise<ContentType> {
  const known = named ?? (await catalog.contents.edges(digest))[0]?.artifact;
  return known?.type ?? ((await beginsLikeManifest(digest, store)) ? 'tree' : 'file');
}

async function beginsLikeManifest(digest: Digest, store: ArtifactStore): Promise<boolean> {
  const stream = await store.read(digest);
  try {
    for await (const chunk of stream) return looksLikeManifest(chunk as Buffer);
    return false;
  } finally {
    stream.destroy();
  }
}

const placesOf = (edges: readonly ArtifactRecord[]): Pick<ArtifactSummary, 'madeBy' | 'usedBy'> => ({
  madeBy: edges.filter(({ direction }) => direction === 'output').map(placeOf),
  usedBy: edges.filter(({ direction }) => direction === 'input').map(placeOf),
});

const placeOf = ({ run, path, field, at }: ArtifactRecord): ArtifactPlace => ({ run, path, field, at });
