import type { Readable } from 'node:stream';
import type { ArtifactKind, ArtifactRef } from '../sdk/artifact.js';
import type { Duration } from '../sdk/duration.js';
import type { OnFailure } from '../sdk/failure-policy.js';
import type { Paused } from '../sdk/protocol/messages.js';
import type { AnyPipeline, InputOf, OutputOf } from '../sdk/pipeline.js';
import type { BuildRecord, ModelRecord } from '../store/catalog.js';
import type { ListedRun, RunListFilter } from './list-runs.js';
import type { CacheEntry, CacheFilter } from '../store/cache-index.js';
import type { CacheWhy } from './cache-why.js';
import type { GarbageReport } from '../store/collect-garbage.js';
import type { ContentFilter } from '../store/content-catalog.js';
import type { ArtifactSummary, ArtifactView } from './artifact-views.js';
import type { VerifyOptions, VerifyReport } from './verify-artifacts.js';
import type { LineageGraph } from '../lineage/graph.js';
import type { RecoverOptions, Recovery } from './recover/recover-run.js';
import type { RunDiff } from './diff-runs.js';
import type { CancelOptions } from './cancel-run.js';
import type { PauseOptions } from './pause-run.js';
import type { RepairOptions } from './repair-step.js';
import type { WhyEntry } from './run-why.js';
import type { RunView } from './views.js';

export type StartOptions = {
  /** Starting twice with one id is one run. Default: `<pipeline>-<date>-<time>-<random>`. */
  readonly runId?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Longest time of the whole run; overrides the pipeline's. */
  readonly timeout?: Duration;
  /** False: results of this run's steps are neither taken from the cache nor kept there. Default true. */
  readonly cache?: boolean;
  /** Names of cached steps to compute anew; their results take the place of the old ones. */
  readonly refresh?: readonly string[];
  /** What becomes of steps when no attempt is left, where neither they nor their pipeline say so. Default `fail`. */
  readonly onFailure?: OnFailure;
};

/** Cached results, and why a step was computed or not (docs/cache.md). */
export interface CacheClient {
  /** Newest first. @param filter.limit default 50 */
  entries(
    filter?: Pick<CacheFilter, 'step' | 'run' | 'before'> & { readonly limit?: number },
  ): Promise<readonly CachedResult[]>;
  /** What the cache did for a step of a run, and which parts of its key changed since an earlier run. @throws UnknownRun, UnknownStep */
  why(run: string, path: string): Promise<CacheWhy>;
  /** Lets go of results; the content they name stays. @returns how many @throws InvalidInput without any condition */
  evict(filter: CacheFilter): Promise<number>;
}

export type CachedResult = CacheEntry & { readonly hits: number; readonly lastHitAt?: string };

export type LogLine = {
  readonly path: string;
  readonly attempt: number;
  readonly at: string;
  readonly stream: 'out' | 'err';
  readonly text: string;
};

/** What a dry run found: without problems a start would be accepted. */
export type DryRun = {
  readonly pipeline: string;
  readonly build: string;
  readonly steps: readonly {
    readonly name: string;
    readonly executor: string;
    readonly image?: string;
    readonly detail: string;
  }[];
  readonly problems: readonly { readonly code: string; readonly message: string }[];
  /** What would be done otherwise than asked: steps as processes for want of an engine. */
  readonly warnings: readonly string[];
};

export type LineageOptions = {
  /** `up` (default): what it was made from; `down`: what was made from it. */
  readonly direction?: 'up' | 'down';
  /** How many steps far. Default: as far as it goes. */
  readonly depth?: number;
  /** Most nodes. Default 500. */
  readonly limit?: number;
};

export interface RunHandle<O = unknown> {
  readonly id: string;
  /**
   * The run as it stands. Inputs, outputs and evidence of 128 KiB and more stand in it as `{ $value, size }`.
   * @param options.values read these from the artifact store too
   * @throws UnknownRun; with `values` ArtifactMissing, ArtifactCorrupt
   */
  view(options?: { readonly values?: boolean }): Promise<RunView>;
  /** A view now and on each change (looked for every `interval` ms, default 250) until the run is closed or `signal` aborts. */
  watch(options?: { readonly interval?: number; readonly signal?: AbortSignal }): AsyncIterable<RunView>;
  /** Waits for the end. @throws RunFailed, RunCancelled, RunTimeout or the error that ended the run */
  result(options?: { readonly signal?: AbortSignal }): Promise<O>;
  /** Answers an open gate. @throws UnknownGate, DecisionRefused */
  decide(
    gate: string,
    answer: { readonly decision: 'approved' | 'rejected'; readonly by?: string; readonly reason?: string },
  ): Promise<void>;
  /**
   * Repairs a parked step: by a retry with what is changed, by a result that the caller answers for, by leaving it out or ending it.
   * @throws UnknownStep, RepairRefused, ImageNotFound
   */
  repair(step: string, options: RepairOptions): Promise<void>;
  /**
   * Each decision about the run and its child runs, or about one of their steps (`score/train`), with its cause, oldest first.
   * @throws UnknownRun, UnknownStep
   */
  why(step?: string): Promise<readonly WhyEntry[]>;
  /**
   * Asks the run to end: its containers are stopped, then its cleanup runs. A second time, or with `force`, ends that too.
   * @throws UnknownRun when no such run is open
   */
  cancel(options?: CancelOptions): Promise<void>;
  /**
   * Has the run, and its child runs, begin nothing new until it is resumed; what runs goes on to its end, and so do time limits
   * and deadlines. @returns the pause there is then, which may be an earlier one. @throws UnknownRun, PauseRefused
   */
  pause(options?: PauseOptions): Promise<Paused>;
  /** Has a paused run go on. @throws UnknownRun, PauseRefused for a child run that is paused with its parent */
  resume(options?: PauseOptions): Promise<void>;
  /** Lines of one step or of all, oldest first; with `follow` until the run is closed. */
  logs(options?: {
    readonly step?: string;
    readonly attempt?: number;
    readonly follow?: boolean;
    readonly signal?: AbortSignal;
  }): AsyncIterable<LogLine>;
}

/** The door for applications: start, watch, signal and read runs from any Node program. */
export interface MillraceClient extends AsyncDisposable {
  /**
   * Starts a run on the current build.
   * @throws InvalidInput naming each field, UnknownPipeline and UnknownStep with the nearest name, NoBuild, TemporalUnavailable, RunExists
   */
  start<P extends AnyPipeline | string>(
    pipeline: P,
    input: InputOf<P>,
    options?: StartOptions,
  ): Promise<RunHandle<OutputOf<P>>>;
  /**
   * Starts a new run on the current build, with the input of a closed one, that takes that one's recorded results wherever it
   * makes the same call of the same code. The plan is made by running the pipeline function over them (docs/recover.md).
   * @throws UnknownRun, RunOpen, UnknownStep, InvalidInput; NoBuild, TemporalUnavailable
   */
  recover(run: string, options?: RecoverOptions): Promise<Recovery>;
  /** Checks input, images, secrets and capacity without starting. */
  dryRun(pipeline: AnyPipeline | string, input: unknown): Promise<DryRun>;
  run(id: string): RunHandle;
  /** Newest first, with what they wait for a person with. */
  runs(filter?: RunListFilter): Promise<readonly ListedRun[]>;
  /** Stores a file or folder, to be given as input. @param options.kind default `dataset` */
  upload<K extends ArtifactKind = 'dataset'>(
    path: string,
    options?: { readonly kind?: K },
  ): Promise<ArtifactRef<K>>;
  /** Writes an artifact's content to a path that does not exist yet. */
  download(artifact: Pick<ArtifactRef, 'digest' | 'type'>, path: string): Promise<void>;
  /** Artifacts that steps made or used, each once, the newest first. */
  artifacts(filter?: ContentFilter): Promise<readonly ArtifactSummary[]>;
  /**
   * One artifact, log or large value, by its digest or a beginning of it that no other has: `sha256:ab12`, `ab12`.
   * @throws UnknownArtifact, ArtifactMissing, ArtifactCorrupt
   */
  artifact(digest: string): Promise<ArtifactView>;
  /** Bytes of a file, or of one inside a tree. @throws UnknownArtifact, ArtifactMissing, ArtifactCorrupt at its end */
  readArtifact(digest: string, path?: string): Promise<Readable>;
  /** Reads content and tells what is missing or has changed. Without `digests` and `run`: all that runs, models and builds name. */
  verifyArtifacts(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Removes old runs and the content that then nothing reaches; docs/garbage.md. Safe beside running workers.
   * @param options.olderThan runs that closed longer ago go, e.g. `'30 days'`
   */
  collectGarbage(options: {
    readonly olderThan: Duration;
    /** Says what would go, and removes nothing. */
    readonly dryRun?: boolean;
    readonly signal?: AbortSignal;
  }): Promise<GarbageReport>;
  models(): Promise<readonly ModelRecord[]>;
  model(name: string): Promise<ModelRecord>;
  /**
   * What something was made from, or what was made from it, by digest.
   * @param what `model@alias`, `model@version`, the digest of an artifact or its beginning, or the id of a run
   * @throws UnknownModel, UnknownArtifact, UnknownRun
   */
  lineage(what: string, options?: LineageOptions): Promise<LineageGraph>;
  /** What two runs have otherwise: inputs, code, images, parameters, metrics, artifacts, times. @throws UnknownRun */
  diff(a: string, b: string): Promise<RunDiff>;
  currentBuild(): Promise<BuildRecord>;
  readonly cache: CacheClient;
}
