import type { Digest } from '../sdk/artifact.js';
import type { Time } from './catalog.js';

/** What a content key is made of, by name: JSON values, digests among them (docs/cache.md). */
export type KeyParts = Readonly<Record<string, unknown>>;

/** A step of a run. */
export type CachePlace = { readonly run: string; readonly path: string };

/** A result that later calls with the same content key may take. */
export type CacheEntry = CachePlace & {
  readonly key: Digest;
  /** Name of the step. */
  readonly step: string;
  readonly pipeline: string;
  readonly output: unknown;
  readonly createdAt: Time;
};

/** What the cache did for a step of a run. */
export type CacheUse = CachePlace & {
  readonly key: Digest;
  readonly parts: KeyParts;
  readonly step: string;
  readonly pipeline: string;
  /** `hit`: taken at once; `joined`: another's work was waited for; `computed`: the step ran. */
  readonly outcome: 'hit' | 'joined' | 'computed';
  /** Who computed what was taken. */
  readonly from?: CachePlace;
  /** Why it was computed: `no entry`, `older than its ttl`. */
  readonly reason?: string;
  readonly at: Time;
};

/** Who computes a key. Only the holder of the current token may commit. */
export type Lease = CachePlace & {
  readonly attempt: number;
  readonly token: string;
  /** Counts renewals: who sees it stand still knows that the holder is gone, whatever the clocks say. */
  readonly beats: number;
};

export type LeaseRequest = CachePlace & {
  readonly key: Digest;
  readonly attempt: number;
  readonly token: string;
  readonly at: Time;
  /** A lease that was seen to stand still for the whole lease time, to be taken over. */
  readonly abandoned?: Pick<Lease, 'token' | 'beats'>;
  /** A lease not renewed since is taken over at once. */
  readonly staleBefore: Time;
};

export type CacheFilter = {
  readonly key?: Digest;
  readonly step?: string;
  readonly run?: string;
  readonly before?: Time;
};

/** Cached results, what the cache did, and who is computing what. */
export interface CacheIndex {
  entry(key: Digest): Promise<CacheEntry | undefined>;
  /** Newest first, each with how often it was taken. @param filter.limit default 50 */
  entries(
    filter: CacheFilter & { readonly limit?: number },
  ): Promise<readonly (CacheEntry & { readonly hits: number; readonly lastHitAt?: Time })[]>;
  /** Removes entries, not the content they name. @returns how many */
  evict(filter: CacheFilter): Promise<number>;

  /** What the cache did for a step of a run; undefined where it was not asked. */
  use(place: CachePlace): Promise<CacheUse | undefined>;
  /** The newest use of a step, before a time, in another run of a pipeline; one at the same path goes first. */
  useBefore(earlier: {
    readonly step: string;
    readonly pipeline: string;
    readonly path: string;
    readonly run: string;
    readonly at: Time;
  }): Promise<CacheUse | undefined>;

  /** Takes the lease of a key, or tells who has it. The same step of the same run takes its own lease over. */
  acquire(
    request: LeaseRequest,
  ): Promise<{ readonly held: true } | { readonly held: false; readonly by: Lease }>;
  /** @returns false when the lease is lost */
  renew(lease: { readonly key: Digest; readonly token: string; readonly at: Time }): Promise<boolean>;
  release(lease: { readonly key: Digest; readonly token: string }): Promise<void>;
  /** Keeps a result and gives the lease back, in one transaction. @returns false when the lease was lost: nothing is kept then */
  commit(entry: CacheEntry, token: string): Promise<boolean>;
}
