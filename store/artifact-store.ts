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

/** One piece of content as the store holds it: a file's bytes or a tree's manifest. */
export type StoredBlob = {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** When it was written or last found again by a put; what garbage collection goes by. */
  readonly touchedAt: Date;
};

export type StoreOptions = { readonly signal?: AbortSignal };

export type PutOptions = StoreOptions & {
  /** Of a folder: what some of its files, by path, are known to hold. What the store still has of it is not read again. */
  readonly known?: ReadonlyMap<string, Pick<StoredBlob, 'digest' | 'size'>>;
};

/** How content is placed on disk for a step. */
export type PlaceOptions = StoreOptions & {
  /**
   * `link`: a hardlink where the disk allows, else a copy; only behind a read-only mount. `copy`: a reflink where the disk
   * allows, else a copy; the step may do what it likes with it.
   */
  readonly mode: 'link' | 'copy';
};

export type RemoveOptions = {
  /** Only if nobody has put or touched it since. */
  readonly untouchedSince?: Date;
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
  put(path: string, options?: PutOptions): Promise<StoredArtifact>;
  /** Stores bytes as a file. */
  putBytes(content: Uint8Array | string, options?: StoreOptions): Promise<StoredArtifact>;
  /** Whether all of its content is there. */
  has(artifact: Pick<StoredArtifact, 'digest' | 'type'>, options?: StoreOptions): Promise<boolean>;
  /**
   * Checks that all of its content is there and is what its digests say, reading what was not checked since it was written.
   * @throws ArtifactMissing, ArtifactCorrupt naming digest and place
   */
  verify(artifact: Pick<StoredArtifact, 'digest' | 'type'>, options?: StoreOptions): Promise<void>;
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
  /** Every blob there is, in no order: what garbage collection and copies walk over. */
  blobs(options?: StoreOptions): AsyncIterable<StoredBlob>;
  /**
   * Says that a blob is needed, as a put of it would: garbage collection leaves it alone for a while. For those who name content
   * again without putting it.
   * @returns whether it is there
   */
  touch(digest: Digest): Promise<boolean>;
  /** Removes a blob, if it is there. For garbage collection: nothing may need it any more. @returns whether it did */
  remove(digest: Digest, options?: RemoveOptions): Promise<boolean>;
  /** Where it stands, for people. */
  readonly location: string;
}
