import type { Readable } from 'node:stream';
import type { ContentType, Digest } from '../sdk/artifact.js';

/** Content as it is stored: named by what it is. */
export type StoredArtifact = {
  readonly digest: Digest;
  readonly type: ContentType;
  /** Bytes; of a tree the sum of its files. */
  readonly size: number;
};

export type TreeEntry = {
  /** Relative, `/`-separated, no leading slash. */
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
  /** Whether the owner may execute it. */
  readonly executable: boolean;
};

export type StoreOptions = { readonly signal?: AbortSignal };

/** How content is placed on disk for a step. */
export type PlaceOptions = StoreOptions & {
  /**
   * `link`: a hardlink where the disk allows, else a copy; only behind a read-only mount. `copy`: a reflink where the disk
   * allows, else a copy; the step may do what it likes with it.
   */
  readonly mode: 'link' | 'copy';
};

/**
 * Artifacts by content. An artifact is whole or absent; the same bytes have the same digest everywhere.
 * A file's digest is the sha256 of its bytes; a tree's is that of its manifest (docs/artifact-layout.md).
 */
export interface ArtifactStore {
  /**
   * Stores a file or folder.
   * @throws UnsafeOutput naming the entry: a link leading outside, a socket, a device
   */
  put(path: string, options?: StoreOptions): Promise<StoredArtifact>;
  /** Stores bytes as a file. */
  putBytes(content: Uint8Array | string, options?: StoreOptions): Promise<StoredArtifact>;
  /** Whether all of its content is there. */
  has(artifact: Pick<StoredArtifact, 'digest' | 'type'>, options?: StoreOptions): Promise<boolean>;
  /**
   * Puts the content at `target`, verified; `target` must not exist, its parent must.
   * @throws ArtifactMissing, ArtifactCorrupt
   */
  place(
    artifact: Pick<StoredArtifact, 'digest' | 'type'>,
    target: string,
    options: PlaceOptions,
  ): Promise<void>;
  /** A file's bytes. @throws ArtifactMissing */
  read(digest: Digest, options?: StoreOptions): Promise<Readable>;
  /** A tree's entries, sorted by path. @throws ArtifactMissing */
  entries(digest: Digest, options?: StoreOptions): Promise<readonly TreeEntry[]>;
  /** Where it stands, for people. */
  readonly location: string;
}
