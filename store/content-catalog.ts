import type { ArtifactKind, Digest } from '../sdk/artifact.js';
import type { ArtifactRecord } from './catalog.js';

export type ContentFilter = {
  readonly run?: string;
  /** Path of a step. */
  readonly step?: string;
  readonly kind?: ArtifactKind;
  readonly name?: string;
  /** So many digests at most; default 50. */
  readonly limit?: number;
};

/** What the catalog knows of content, from its digest. */
export interface ContentCatalog {
  /** Where the artifacts that fit were made and used, those of the digest named last first. */
  find(filter: ContentFilter): Promise<readonly ArtifactRecord[]>;
  /** Where one was made and used, oldest first. */
  edges(digest: Digest): Promise<readonly ArtifactRecord[]>;
  /** Digests of artifacts, logs and large values that begin so, `limit` at most. */
  beginning(start: string, limit: number): Promise<readonly Digest[]>;
}
