import type { ApprovalDecision } from '../sdk/approval.js';
import type { ArtifactRef, Digest } from '../sdk/artifact.js';
import type { GateOutcome } from '../sdk/gate.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import type { Paused, RunPlan } from '../sdk/protocol/messages.js';
import type { AliasChange, ModelVersion } from '../sdk/registry.js';
import type { AttemptStatus, RunStatus, StepKind, StepStatus } from '../sdk/states.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type { CacheIndex, CachePlace, CacheUse } from './cache-index.js';
import type { Edges } from './edges.js';
import type { Checkpoints } from './checkpoints.js';
import type { LogChunks } from './log-chunks.js';
import type { Outbox } from './outbox.js';
import type { TimelineEntry } from './timeline.js';
import type { ContentCatalog } from './content-catalog.js';
import type { Hosts } from './hosts.js';
import type { Moves } from './moves.js';
import type { GarbageCatalog } from './garbage-catalog.js';

/** All times are ISO 8601 texts in UTC with milliseconds. */
export type Time = string;

/** A loaded project: its workflow bundle and its pipelines, each by content in the artifact store. */
export type BuildRecord = {
  /** Digest of all of it, shortened to 16 hex digits. */
  readonly id: string;
  readonly queue: string;
  readonly createdAt: Time;
  /** Code that workers replay. */
  readonly workflowBundle: Digest;
  /** Code that clients load to check input: the pipelines with their schemas. */
  readonly nodeBundle: Digest;
  readonly pipelines: readonly BuildPipeline[];
  readonly steps: readonly StepSpec[];
};
export type BuildPipeline = {
  readonly name: string;
  readonly description?: string;
  /** Steps that the pipelines of its file can call. */ readonly steps: readonly string[];
};

export type RunRecord = {
  readonly id: string;
  readonly pipeline: string;
  readonly build: string;
  readonly queue: string;
  /** Id of the Temporal namespace it runs in: no other one may say what became of it. */
  readonly service?: string;
  readonly status: RunStatus;
  readonly input: unknown;
  readonly tags: Readonly<Record<string, string>>;
  readonly parent?: { readonly run: string; readonly path: string };
  readonly plan?: RunPlan;
  readonly startedAt: Time;
  readonly closedAt?: Time;
  readonly output?: unknown;
  /** Why it ended; of an open run, that it is being cancelled. */
  readonly failure?: FailureInfo;
  /** The closed run whose results it goes on with. */
  readonly recovers?: string;
  /** Present while it begins nothing new. */
  readonly paused?: Paused;
  /** When it is expected to have ended. */
  readonly dueAt?: Time;
  /** When it was noticed that it had not. */
  readonly overdueAt?: Time;
  /** What went wrong in its cleanup: it does not change how the run ended. */
  readonly cleanupFailure?: FailureInfo;
};

export type StepRecord = {
  readonly run: string;
  readonly path: string;
  readonly name: string;
  readonly kind: StepKind;
  readonly status: StepStatus;
  /** What a queued step waits for, or its own words about its progress. */
  readonly detail?: string;
  readonly progress?: number;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly failure?: FailureInfo;
  readonly scheduledAt: Time;
  readonly closedAt?: Time;
  /** The step that computed its output, where that was taken from the cache. */
  readonly cached?: CachePlace;
  /** Who made its result in an earlier run, where this run recovers that one. */
  readonly reused?: CachePlace;
  /** What a person did about it when it was parked, the latest. */
  readonly repair?: RepairRecord;
};

export type RepairRecord = {
  readonly do: 'retry' | 'supply' | 'skip' | 'abort';
  readonly by: string;
  readonly reason?: string;
  readonly at: Time;
  /** What the next attempt had otherwise. */
  readonly memory?: number;
  readonly image?: string;
  readonly source?: Digest;
  readonly input?: readonly string[];
};

export type AttemptRecord = {
  readonly run: string;
  readonly path: string;
  readonly attempt: number;
  readonly status: AttemptStatus;
  readonly executor: 'docker' | 'process' | 'worker';
  readonly image?: string;
  readonly worker: string;
  readonly startedAt: Time;
  readonly closedAt?: Time;
  readonly exitCode?: number;
  readonly cpuSeconds?: number;
  readonly peakMemoryBytes?: number;
  /** From the start of its program, or of preparing it, until its outputs were stored. */
  readonly wallSeconds?: number;
  /** The gpus it had, times `wallSeconds`. */
  readonly gpuSeconds?: number;
  readonly failure?: FailureInfo;
  /** The attempt's log, stored when it closed. */
  readonly log?: Digest;
  /** Resolved packages of its requirements. */
  readonly packages?: readonly string[];
  /** What it was given: a retry may have had more memory than the step declares. */
  readonly resources?: StepSpec['resources'];
  /** Whose code it ran. Absent in rows of before this was noted: the run's, or unknown where that was moved. */
  readonly build?: string;
};

export type MetricRecord = {
  readonly run: string;
  readonly path: string;
  readonly attempt: number;
  readonly name: string;
  readonly value: number;
  readonly index?: number;
  readonly at: Time;
};

/** That a run made or read content: the ground lineage stands on. */
export type ArtifactRecord = {
  readonly run: string;
  readonly path: string;
  readonly direction: 'input' | 'output';
  /** Field of the step's input or output: `table`, `models/0`. */
  readonly field: string;
  readonly artifact: ArtifactRef;
  readonly at: Time;
};

export type GateRecord = {
  readonly run: string;
  readonly path: string;
  readonly outcome: GateOutcome;
  readonly evidence: unknown;
  readonly at: Time;
};

export type ApprovalRecord = {
  readonly run: string;
  readonly path: string;
  readonly gate: string;
  readonly of?: ModelVersion;
  readonly evidence: unknown;
  readonly openedAt: Time;
  readonly until?: Time;
  readonly status: 'open' | 'approved' | 'rejected' | 'expired' | 'cancelled';
  readonly decision?: ApprovalDecision;
};

export type VersionRecord = ModelVersion & {
  readonly run: string;
  readonly path: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly evidence: unknown;
  readonly createdAt: Time;
};

export type AliasRecord = {
  readonly name: string;
  readonly alias: string;
  readonly version: number;
  readonly at: Time;
  readonly run: string;
};
/** What a run did to the registry: true also where its own rows of it were lost. */
export type RunEffects = {
  readonly versions: readonly VersionRecord[];
  readonly aliasChanges: readonly (AliasChange & { readonly run: string; readonly path: string })[];
};
export type ModelRecord = {
  readonly name: string;
  readonly versions: readonly VersionRecord[];
  readonly aliases: readonly AliasRecord[];
};

/** A step that waits for a person. */
export type HeldStep = {
  /** Of the run that no other called. */
  readonly run: string;
  /** From there: `train`, or `score/train` of a child run. */
  readonly path: string;
  readonly status: 'parked' | 'waiting';
};

export type RunFilter = {
  readonly pipeline?: string;
  readonly status?: RunStatus;
  /** All of these. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly since?: Time;
  /** Child runs of this run. Without it only runs that have no parent. */
  readonly parent?: string;
  /** Newest first; default 50. */
  readonly limit?: number;
};

/**
 * What lasts of runs, steps and models after Temporal's retention. A projection: everything but builds and models is
 * written from what Temporal decides, and may be written twice or late. Each call is one transaction; calls that say
 * "upsert" leave fields that are absent as they were. A closed step or attempt is never reopened by a late upsert of
 * `queued`, `running`, `waiting` or `retrying`, unless its attempt number is higher.
 */
export interface Catalog extends AsyncDisposable {
  readonly location: string;
  readonly cache: CacheIndex;
  /** What is to be sent to others of what is recorded here. */
  readonly outbox: Outbox;
  /** Who read and made which content, across runs. */
  readonly edges: Edges;
  readonly hosts: Hosts;
  /** What running steps stored for their next attempt. */
  readonly checkpoints: Checkpoints;
  readonly logChunks: LogChunks;
  /** Open runs that another build's code serves. */
  readonly moves: Moves;

  publishBuild(build: BuildRecord): Promise<void>;
  /** The build that new runs of the queue start on: the one published last. */
  currentBuild(queue: string): Promise<BuildRecord | undefined>;
  build(id: string): Promise<BuildRecord | undefined>;

  /** Inserts a run; one that is there stays as it is. @returns whether it was new */
  insertRun(run: RunRecord): Promise<boolean>;
  /**
   * Changes the fields that are given; a failure of null, or completion without one, takes an earlier failure away. A run that
   * has ended is not paused any more.
   */
  updateRun(
    run: Pick<RunRecord, 'id'> &
      Partial<Omit<RunRecord, 'failure' | 'paused'>> & {
        readonly failure?: FailureInfo | null;
        readonly paused?: Paused | null;
      },
  ): Promise<void>;
  run(id: string): Promise<RunRecord | undefined>;
  runs(filter: RunFilter): Promise<readonly RunRecord[]>;
  /** Runs not closed, child runs too. */
  openRuns(queue: string): Promise<readonly RunRecord[]>;
  /** Steps of open runs, child runs too, that wait for a person: parked, or for a decision. */
  heldSteps(): Promise<readonly HeldStep[]>;
  /** Notes that an open run is overdue, and tells whoever wants to know. @returns whether that was news */
  noticeOverdue(run: string, at: Time): Promise<boolean>;
  /** Ids of the runs that are paused, child runs too. */
  pausedRuns(): Promise<ReadonlySet<string>>;

  /** Upserts steps, attempts, metrics, artifact edges and what the cache did, together. */
  project(rows: ProjectedRows): Promise<void>;
  /** In order of scheduling. */
  steps(run: string): Promise<readonly StepRecord[]>;
  attempts(run: string, path?: string): Promise<readonly AttemptRecord[]>;
  metrics(run: string, path?: string): Promise<readonly MetricRecord[]>;
  /** What was decided about a run or one of its steps, oldest first. */
  timeline(run: string, path?: string): Promise<readonly TimelineEntry[]>;
  artifacts(run: string): Promise<readonly ArtifactRecord[]>;

  recordGate(gate: GateRecord): Promise<void>;
  gates(run: string): Promise<readonly GateRecord[]>;
  openApproval(approval: ApprovalRecord): Promise<void>;
  closeApproval(
    closed: Pick<ApprovalRecord, 'run' | 'path' | 'status'> & { readonly decision?: ApprovalDecision },
  ): Promise<void>;
  approvals(filter: {
    readonly run?: string;
    readonly status?: ApprovalRecord['status'];
  }): Promise<readonly ApprovalRecord[]>;

  /** Idempotent by (run, path); the number is taken in the same transaction. */
  registerVersion(version: Omit<VersionRecord, 'version'>): Promise<VersionRecord>;
  /** Idempotent by (run, path). @throws UnknownModel when there is no such version */
  setAlias(change: {
    readonly run: string;
    readonly path: string;
    readonly name: string;
    readonly version: number;
    readonly alias: string;
    readonly at: Time;
  }): Promise<AliasChange>;
  models(): Promise<readonly ModelRecord[]>;
  model(name: string): Promise<ModelRecord | undefined>;
  /** Newest first. */
  aliasHistory(name: string, alias: string): Promise<readonly AliasRecord[]>;

  /** Versions that the run registered and aliases it moved. */
  effects(run: string): Promise<RunEffects>;

  readonly contents: ContentCatalog;
  readonly garbage: GarbageCatalog;
}

export type ProjectedRows = {
  readonly steps?: readonly StepRecord[];
  readonly attempts?: readonly AttemptRecord[];
  readonly metrics?: readonly MetricRecord[];
  readonly artifacts?: readonly ArtifactRecord[];
  readonly cacheUses?: readonly CacheUse[];
  readonly timeline?: readonly TimelineEntry[];
};
