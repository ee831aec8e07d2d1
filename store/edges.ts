import type { Digest } from '../sdk/artifact.js';
import type { ApprovalRecord, ArtifactRecord, GateRecord, VersionRecord } from './catalog.js';

/** A bounded answer, and how many there are in all. */
export type Found<T> = { readonly items: readonly T[]; readonly total: number };

/** What the catalog knows of content across runs, by its digest. */
export interface Edges {
  /** Steps that read or made it, oldest first. */
  steps(
    digest: Digest,
    direction: ArtifactRecord['direction'],
    limit: number,
  ): Promise<Found<ArtifactRecord>>;
  /** Versions registered with these bytes. */
  versions(digest: Digest): Promise<readonly VersionRecord[]>;
  /** Gates and approvals that had it as evidence. */
  decisions(
    digest: Digest,
    limit: number,
  ): Promise<{ readonly gates: readonly GateRecord[]; readonly approvals: readonly ApprovalRecord[] }>;
  /** Decisions about a version. */
  approvalsOf(version: Pick<VersionRecord, 'name' | 'version'>): Promise<readonly ApprovalRecord[]>;
  /** Ids of runs that were started with it, oldest first. */
  runsGiven(digest: Digest, limit: number): Promise<readonly string[]>;
  /** Digests of artifacts and models that begin so. */
  beginning(start: string, limit: number): Promise<readonly Digest[]>;
}
