import type { Readable } from 'node:stream';
import type { Digest } from '../sdk/artifact.js';
import type { PlaceOptions, RemoveOptions, StoredBlob, StoreOptions } from './artifact-store.js';
import type { Hashed } from './hash-file.js';

export type PlaceBlobOptions = PlaceOptions & { readonly executable: boolean };

/**
 * Bytes by their sha256: what an artifact store is made of. A blob is whole or absent and never changes; one that is found
 * changed is set aside and missing from then on.
 */
export interface BlobStore {
  /** Where it stands, for people. */
  readonly location: string;
  /** How many blobs to read or write at once. */
  readonly atOnce: number;
  putBytes(bytes: Uint8Array, options?: StoreOptions): Promise<Hashed>;
  /** Stores a regular file's bytes; a link at `source` is refused. @throws UnsafeOutput */
  putFile(source: string, options?: StoreOptions): Promise<Hashed>;
  /** Stores many files, and tells of each in their order. */
  putFiles(sources: readonly string[], options?: StoreOptions): Promise<readonly Hashed[]>;
  /** Size of the blob in bytes, or undefined when it is absent. */
  sizeOf(digest: Digest, options?: StoreOptions): Promise<number | undefined>;
  /** Checks the bytes, unless this process did since they were written. @throws ArtifactMissing, ArtifactCorrupt */
  verify(digest: Digest, options?: StoreOptions): Promise<void>;
  /** All bytes in memory, checked: for manifests. @throws ArtifactMissing, ArtifactCorrupt */
  bytes(digest: Digest, options?: StoreOptions): Promise<Buffer>;
  /** Puts the checked bytes at `target`, which is free. @throws ArtifactMissing, ArtifactCorrupt */
  place(digest: Digest, target: string, options: PlaceBlobOptions): Promise<void>;
  /** The bytes; the stream fails at its end when they are not what the digest says. @throws ArtifactMissing */
  read(digest: Digest, options?: StoreOptions): Promise<Readable>;
  /** Every blob, in no order. */
  list(options?: StoreOptions): AsyncIterable<StoredBlob>;
  /** Counts as putting what is there. @returns whether it is */
  touch(digest: Digest): Promise<boolean>;
  /** Removes a blob, if it is there and was not touched since. @returns whether it did */
  remove(digest: Digest, options?: RemoveOptions): Promise<boolean>;
}
