import type { ContentType, Digest } from '../sdk/artifact.js';
import type { Time } from './catalog.js';

/** Content that a run reaches though no step, model or build names it: its large values and what those name. */
export type HeldContent = {
  readonly run: string;
  readonly digest: Digest;
  readonly type: ContentType;
  /** Bytes. */
  readonly size: number;
  readonly at: Time;
};

/** What garbage collection would take out of the catalog. */
export type GarbagePlan = {
  /** Runs with their child runs, each tree to go whole. */
  readonly trees: readonly (readonly string[])[];
  readonly builds: readonly { readonly id: string; readonly queue: string }[];
  /** Runs that stay. */
  readonly keptRuns: number;
};

/** Why content stays, the strongest reason first. */
export const keepReasons = ['model', 'run', 'build'] as const;
export type KeepReason = (typeof keepReasons)[number];

/** Each digest that rows name, as what and why. */
export type NamedContent = ReadonlyMap<Digest, { readonly type: ContentType; readonly reason: KeepReason }>;

/** What garbage collection asks of the catalog and takes out of it. */
export interface GarbageCatalog {
  /** Notes that runs hold content; before anything of theirs names it. Idempotent. */
  hold(content: readonly HeldContent[]): Promise<void>;
  /**
   * Trees of runs that closed before a time and that nothing needs: none of them registered a model version or moved an alias,
   * and none made what went into a registered version. Builds that no other run began with and that were superseded before a
   * time.
   */
  plan(before: { readonly runs: Time; readonly builds: Time }): Promise<GarbagePlan>;
  /** Removes the rows of a tree if all of that still holds. @returns whether they are gone */
  forgetTree(runs: readonly string[], before: Time): Promise<boolean>;
  /** Removes builds that no run began with and that are not current. @returns those that are gone */
  forgetBuilds(builds: GarbagePlan['builds']): Promise<GarbagePlan['builds']>;
  /** Removes what is held for runs that never began. */
  forgetUnstarted(before: Time): Promise<void>;
  /** What all rows name, but those of `without`. */
  named(without?: Pick<GarbagePlan, 'trees' | 'builds'>): Promise<NamedContent>;
  /** What the rows of these runs name. */
  namedByRuns(runs: readonly string[]): Promise<NamedContent>;
  /** What the rows of these builds name. */
  namedByBuilds(builds: GarbagePlan['builds']): Promise<NamedContent>;
}
