import type { ApprovalDecision } from '../approval.js';
import type { ArtifactKind, ArtifactRef, Digest } from '../artifact.js';
import type { GateOutcome } from '../gate.js';
import type { ModelVersion } from '../registry.js';
import type { RunStatus, StepKind, StepStatus } from '../states.js';
import type { StepSpec, StoredContent } from '../step-spec.js';
import type { FailurePolicy } from '../failure-policy.js';
import type { FailureKind } from '../failure-kind.js';
import type { FailureInfo } from './failure.js';

/** Argument of a run's workflow. */
export type RunRequest = {
  readonly run: string;
  readonly pipeline: string;
  readonly input: unknown;
  readonly build: string;
  readonly queue: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Of a child run: where in the parent it was called. */
  readonly parent?: CallPlace;
  /** How this run departs from what its steps say of their cache. */
  readonly cache?: RunCache;
  /** What becomes of steps when no attempt is left, where neither they nor their pipeline say so. Default: they fail. */
  readonly onFailure?: FailurePolicy;
  /** How long an attempt waits for its own host to take it up again, ms. Default 60 s. */
  readonly adoptWithinMs?: number;
  /** The closed run whose results it goes on with. */
  readonly recover?: RecoverRequest;
};

/** Which run another one recovers, and what of it is made anew all the same. */
export type RecoverRequest = {
  readonly run: string;
  /** Paths and names of steps to run anew, with all that takes what they make. */
  readonly from: readonly string[];
  /** Of a child run: values in its input that such steps of its parent made. */
  readonly marks?: readonly string[];
};

/** Asks for what a run left, or with a path for one call of it. */
export type ReadRecorded = { readonly run: string; readonly of: string; readonly path?: string };
/** Calls that took the result of an earlier run. */
export type RecordReused = {
  readonly run: string;
  readonly of: string;
  readonly steps: readonly {
    readonly path: string;
    /** Path of the same call there. */
    readonly former: string;
    readonly scheduledAt: string;
    readonly maker: StepPlace;
    /** `failed`: a rejection. */
    readonly status: 'completed' | 'failed';
    /** Of an effect, whose own row may have been lost. */
    readonly output?: unknown;
  }[];
  /** Calls that run anew all the same, and why. */
  readonly anew: readonly { readonly path: string; readonly at: string; readonly why: string }[];
};

/** What a run does with the cache. */
export type RunCache = {
  /** False: results are neither taken nor kept. */
  readonly use: boolean;
  /** Names of steps that are computed anew, their results kept. */
  readonly refresh: readonly string[];
};

/** Argument of the `cancel` signal. */
export type CancelMessage = {
  readonly by: string;
  readonly reason?: string;
  /** Ends the cleanup too, or has none begin. */
  readonly force?: boolean;
  /** Sent on to a child run. */
  readonly fromParent?: boolean;
};

/** Argument of the updates `pause` and `resume`. */
export type PauseRequest = { readonly by: string; readonly reason?: string };
/** That a run begins nothing new, by whom and since when (ISO 8601). */
export type Paused = PauseRequest & { readonly at: string };
/** Argument of the `parentPaused` signal. */
export type ParentPaused = { readonly paused: Paused | null; readonly by: string };

/** What a run says of itself as a whole, for its timeline and its row. */
export type RecordRunNote = {
  readonly run: string;
  /** ISO 8601. */
  readonly at: string;
  readonly kind: 'paused' | 'resumed' | 'cancelled';
  readonly text: string;
  /** Changes what the run's row says of a pause; null: there is none. */
  readonly paused?: Paused | null;
  /** What the row says of a run that is being cancelled. */
  readonly failure?: FailureInfo;
};

/** A step's place and identity in a run. */
export type StepPlace = {
  readonly run: string;
  /** Name and call order: `train`, `train#2`. */
  readonly path: string;
};

/** A place that an activity of ours writes the row of. */
export type CallPlace = StepPlace & {
  /** When the pipeline made the call, ISO 8601; open runs of older builds do not say it. */
  readonly scheduledAt?: string;
};

/** Where steps of this run execute, decided once at its start. */
export type RunPlan = {
  /** `docker` where an engine answers and every image can be had; else `process`, with the reason as warning. */
  readonly executor: 'docker' | 'process';
  readonly warning?: string;
  /** By step name: the image the step runs in. */
  readonly images: Readonly<Record<string, ResolvedImage>>;
};

export type ResolvedImage = {
  /** As written or derived: for people and pulls. */
  readonly reference: string;
  /** The engine's image id, `sha256:…`: what runs. */
  readonly id: Digest;
  /** The registry's digest where the engine knows one. */
  readonly repoDigest?: string;
};

export type StepTask = StepPlace & {
  readonly v: 1;
  readonly pipeline: string;
  readonly build: string;
  readonly spec: StepSpec;
  /** Which executor; `worker` for isolation none and inline. */
  readonly executor: 'docker' | 'process' | 'worker';
  readonly image?: ResolvedImage;
  readonly input: unknown;
  /** Prefix of the run's queues. */
  readonly queue: string;
  /** Of a cached step: whether an earlier result may be taken. `refresh` computes anew. */
  readonly cache?: 'use' | 'refresh';
  /** Why a look into the cache found nothing to take. */
  readonly missed?: string;
  /** Number of the container start that this delivery belongs to, from 1. Builds of before it was there let Temporal count. */
  readonly attempt?: number;
  /** How often this attempt was given to a worker: from 2 on its container may be there already. */
  readonly delivery?: number;
  /** It belongs to the cleanup of its run: a pause does not hold it. */
  readonly cleanup?: boolean;
};

export type StepResult = {
  readonly output: Readonly<Record<string, unknown>>;
  /** The step that computed it, where it was taken from the cache. */
  readonly cached?: StepPlace;
  /** That no attempt made it: a person gave it, or left the step out. */
  readonly supplied?: 'by-hand' | 'skipped';
};

/** What the cache has for a step: a result, or why there is none to take. */
export type CacheLookup = { readonly result?: StepResult; readonly missed?: string };

/** Details of an activity's heartbeat: what people see of a step that is under way. */
export type StepHeartbeat = {
  readonly status: 'queued' | 'running';
  /** `needs 2 cpus`, or the step's own words. */
  readonly detail?: string;
  readonly progress?: number;
  readonly metric?: { readonly name: string; readonly value: number };
  /** The host that has it: its installation. */
  readonly host?: string;
};

/** Without a run nothing is recorded. */
export type PlanRequest = { readonly run?: string; readonly specs: readonly StepSpec[] };

export type OpenRun = RunRequest & {
  readonly startedAt: string;
  /** When it is expected to have ended, ISO 8601. */
  readonly dueAt?: string;
  readonly specs: readonly StepSpec[];
};
/** Without a plan an image must be pulled or built first. */
export type OpenedRun = { readonly plan?: RunPlan };
export type CloseRun = {
  readonly run: string;
  readonly status: RunStatus;
  readonly output?: unknown;
  readonly failure?: FailureInfo;
  /** What went wrong in its cleanup, beside how the run ended. */
  readonly cleanupFailure?: FailureInfo;
  readonly steps: readonly StepState[];
};

/** How an attempt of a step failed, and what was decided about it. */
export type RecordFailure = CallPlace & {
  readonly name: string;
  readonly attempt: number;
  readonly failure: FailureInfo;
  readonly kind: FailureKind;
  /** When it was decided, ISO 8601. */
  readonly at: string;
  /** Why so. */
  readonly reason: string;
  readonly next: NextMove;
  /** Also where the attempt has a recorded result, which cannot be had. */
  readonly anyway?: boolean;
};
export type NextMove =
  /** The same attempt is given to its host again, which may have its container still. */
  | { readonly do: 'take-up'; readonly host: string; readonly withinMs: number }
  | { readonly do: 'retry'; readonly waitMs: number; readonly memory: number }
  /** @property until ISO 8601 */
  | { readonly do: 'park'; readonly until?: string }
  | { readonly do: 'fail' };
export type RecordedFailure = {
  /** The host of a `take-up` is known to be gone: nothing was recorded. */
  readonly hostGone?: boolean;
  /** The attempt had a result, and only the word of it was lost: instead of the move it is to be delivered once more, to anybody. */
  readonly hasResult?: boolean;
};

export type RecordGate = CallPlace & { readonly outcome: GateOutcome; readonly evidence: unknown };
export type OpenApproval = CallPlace & {
  readonly gate: string;
  readonly of: ModelVersion | undefined;
  readonly evidence: unknown;
  /** ISO 8601; when the gate expires. */
  readonly until: string | undefined;
};
export type CloseApproval = StepPlace & {
  readonly gate: string;
  readonly decision: ApprovalDecision | { readonly decision: 'expired'; readonly at: string };
};
export type RegisterTask = CallPlace & {
  readonly name: string;
  readonly model: ArtifactRef<'model'>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly evidence: unknown;
};
export type PromoteTask = CallPlace & { readonly version: ModelVersion; readonly alias: string };
export type FetchTask = CallPlace & { readonly uri: string; readonly kind: ArtifactKind };

/** Argument of the `decide` update. */
export type Decide = {
  readonly gate: string;
  readonly decision: 'approved' | 'rejected';
  readonly by: string;
  readonly reason?: string;
};

/** What a person has done with a parked step: argument of the `repair` update. */
export type Repair = {
  readonly path: string;
  readonly by: string;
  readonly reason?: string;
} & RepairAction;
export type RepairAction =
  | {
      readonly do: 'retry';
      /** Bytes. */
      readonly memory?: number;
      /** Reference. */
      readonly image?: string;
      /** Fields of the input to change. */
      readonly input?: Readonly<Record<string, unknown>>;
      readonly source?: StoredContent;
    }
  /** A result that the person answers for: values and references to artifacts. */
  | { readonly do: 'supply'; readonly output: Readonly<Record<string, unknown>> }
  /** The step is left out: its outputs have to be optional. */
  | { readonly do: 'skip' }
  | { readonly do: 'abort' };
export type CheckRepair = { readonly task: StepTask; readonly repair: Repair };
/** @property at ISO 8601 */
export type RecordRepair = CheckRepair & { readonly accepted: AcceptedRepair; readonly at: string };
/** What follows from a repair that fits the step. */
export type AcceptedRepair =
  /** `build` is whose code the spec is of; workers of before did not say it. */
  | { readonly do: 'retry'; readonly spec: StepSpec; readonly input: unknown; readonly build?: string }
  | { readonly do: 'result'; readonly output: Readonly<Record<string, unknown>> }
  | { readonly do: 'abort' };

/** Answer of the `state` query: the workflow's own view. Whether a step runs or waits for a worker only the service knows. */
export type RunState = {
  readonly run: string;
  readonly pipeline: string;
  readonly status: RunStatus;
  readonly plan: RunPlan | undefined;
  /** Present while it is paused. */
  readonly paused?: Paused;
  readonly steps: readonly StepState[];
};
export type StepState = {
  readonly path: string;
  readonly name: string;
  readonly kind: StepKind;
  readonly status: StepStatus;
  /** ISO 8601, UTC. */
  readonly scheduledAt: string;
  readonly closedAt?: string;
  readonly failure?: FailureInfo;
  /** Parked: when it fails unless it is repaired, ISO 8601. */
  readonly until?: string;
  /** Approval: what is asked. */
  readonly gate?: string;
  /** The step that computed its result, where that was taken from the cache. */
  readonly cached?: StepPlace;
  /** Who made its result, where that was taken from the run that this one recovers. */
  readonly reused?: StepPlace;
};
