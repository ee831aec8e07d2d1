import type { AttemptStatus, RunStatus, StepStatus } from '../../sdk/states.js';
import type { PlannedRun } from './plan.js';

/** What is left when all faults are over, as catalog, Temporal, engine and disk say it. */
export type World = {
  readonly planned: readonly PlannedRun[];
  readonly runs: readonly RunFacts[];
  /** Of the model that every run registers a version of. */
  readonly versions: readonly VersionFacts[];
  /** Times its alias was moved, oldest first. */
  readonly changes: readonly { readonly run: string; readonly version: number }[];
  readonly containers: readonly ContainerFacts[];
  /** When the Docker engine was away. */
  readonly outages: readonly Span[];
  /** When a host had no worker. */
  readonly absences: readonly (Span & { readonly host: string })[];
  /** Containers, processes, working folders, files of secrets and temporary files that are still there, by name. */
  readonly leftovers: readonly string[];
  /** What no log may hold. */
  readonly secret: string;
};

export type RunFacts = {
  readonly id: string;
  /** Undefined where it is not known there. */
  readonly catalog: RunStatus | undefined;
  readonly temporal: RunStatus | undefined;
  readonly output: unknown;
  readonly failure: string | undefined;
  readonly steps: readonly StepFacts[];
  /** Steps whose activity completed, as Temporal's history says. */
  readonly activities: readonly string[];
};

export type StepFacts = {
  readonly path: string;
  readonly kind: string;
  readonly status: StepStatus;
  readonly attempts: readonly AttemptFacts[];
};

export type AttemptFacts = {
  readonly attempt: number;
  readonly status: AttemptStatus;
  /** `by design`: it was seen to end as the pipeline has it fail, and not from outside. */
  readonly end: 'by design' | 'otherwise';
  readonly time: Span;
  /** What `millrace logs` has of the program's own output. */
  readonly lines: readonly string[];
};

export type VersionFacts = { readonly version: number; readonly run: string; readonly model: string };

/** From the first to the last moment, ms since 1970. */
export type Span = { readonly from: number; readonly until: number };

/** A container as it was seen while the faults went on: from the first to the last time it was seen to run. */
export type ContainerFacts = Span & {
  readonly id: string;
  /** The installation whose worker began it. */
  readonly host: string;
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
};
