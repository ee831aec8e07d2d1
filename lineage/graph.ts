import type { ArtifactKind, ContentType, Digest } from '../sdk/artifact.js';
import type { GateChecks, GateOutcome } from '../sdk/gate.js';
import type { RunStatus, StepKind, StepStatus } from '../sdk/states.js';
import type { ApprovalRecord, AttemptRecord, Time } from '../store/catalog.js';

export type ArtifactNode = {
  readonly kind: 'artifact';
  readonly id: string;
  readonly digest: Digest;
  readonly artifact: ArtifactKind;
  readonly type: ContentType;
  readonly size: number;
  readonly name: string;
};

/** A call of a step, or of `fetchData`. */
export type StepNode = {
  readonly kind: 'step';
  readonly id: string;
  readonly run: string;
  readonly path: string;
  readonly name: string;
  readonly step: StepKind;
  readonly status: StepStatus;
  readonly at: Time;
  /** The attempt that made what there is. */
  readonly attempt?: number;
  readonly executor?: AttemptRecord['executor'];
  /** The image's digest, and its name when the run resolved it. */
  readonly image?: string;
  readonly imageReference?: string;
  /** Digest of its source folder, and of the code of a function. */
  readonly source?: Digest;
  readonly code?: Digest;
  readonly command?: readonly string[];
  /** Values of its input; artifacts are nodes of their own. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Of `fetchData`: where it read from. */
  readonly uri?: string;
  /** That no attempt made what it gave: a person supplied it, or left the step out. */
  readonly supplied?: {
    readonly by: string;
    readonly at: Time;
    readonly skipped: boolean;
    readonly reason?: string;
  };
};

export type RunNode = {
  readonly kind: 'run';
  readonly id: string;
  readonly run: string;
  readonly pipeline: string;
  readonly build: string;
  readonly status: RunStatus;
  readonly at: Time;
  readonly parameters: Readonly<Record<string, unknown>>;
};

export type VersionNode = {
  readonly kind: 'version';
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly run: string;
  readonly path: string;
  readonly at: Time;
  readonly metrics: Readonly<Record<string, number>>;
};

export type AliasNode = {
  readonly kind: 'alias';
  readonly id: string;
  readonly name: string;
  readonly alias: string;
  readonly version: number;
  /** The run that pointed it there. */
  readonly run: string;
  readonly at: Time;
};

export type GateNode = {
  readonly kind: 'gate';
  readonly id: string;
  readonly run: string;
  readonly path: string;
  readonly gate: string;
  readonly outcome: GateOutcome['outcome'];
  readonly checks: GateChecks;
  readonly at: Time;
};

export type ApprovalNode = {
  readonly kind: 'approval';
  readonly id: string;
  readonly run: string;
  readonly path: string;
  readonly gate: string;
  readonly status: ApprovalRecord['status'];
  readonly at: Time;
  readonly by?: string;
  readonly reason?: string;
};

/** Content that was given to runs and that no step made. */
export type UploadNode = {
  readonly kind: 'upload';
  readonly id: string;
  readonly digest: Digest;
  /** Runs it was given to, the first ones. */
  readonly runs: readonly string[];
};

export type LineageNode =
  ArtifactNode | StepNode | RunNode | VersionNode | AliasNode | GateNode | ApprovalNode | UploadNode;

/** How the one came into the other. `reused`: a step's answer was taken over from another that had computed it. */
export type Relation =
  | 'read'
  | 'made'
  | 'reused'
  | 'registered'
  | 'evidence'
  | 'judged'
  | 'decided'
  | 'named'
  | 'uploaded'
  | 'ran';

/** In the direction of time: `from` was there first. */
export type LineageEdge = {
  readonly from: string;
  readonly to: string;
  readonly relation: Relation;
  /** Field of the step's input or output. */
  readonly field?: string;
};

export type LineageGraph = {
  /** Id of the node that was asked for. */
  readonly root: string;
  readonly direction: 'up' | 'down';
  /** The root first, then as they were found. */
  readonly nodes: readonly LineageNode[];
  readonly edges: readonly LineageEdge[];
  /** Nodes that have more neighbours than are shown, and how many more. */
  readonly cut: Readonly<Record<string, number>>;
  /** What the graph leaves out, as sentences. */
  readonly notes: readonly string[];
};
