import type { Terminal } from '../activities/executors/terminal.js';
import type { CheckOptions, CheckReport } from './replay/check-runs.js';
import type { ReplayOptions, ReplayReport } from './replay/replay-run.js';
import type { StepChanges } from './change-step.js';
import type { ProgramLine } from './follow-lines.js';
import type { StepChoice } from './recorded-step.js';
import type { ProgramResult } from './run-program.js';

/** A step that is tried here, as the run recorded it. */
export type TriedStep = {
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  readonly executor: 'docker' | 'process';
  /** Reference and id, of a container. */
  readonly image?: { readonly reference: string; readonly id: string };
  /** Its own program and arguments, as it sees them. */
  readonly command: readonly string[];
  /** The step's folder on this host; where it finds it may be another path. */
  readonly folder: string;
  /** What differs from a real attempt, as sentences. */
  readonly notes: readonly string[];
};

export type TryOptions = {
  /** Leaves the step's folder when all is over. Default: nothing is left. */
  readonly keep?: boolean;
  /** Called before anything runs. */
  readonly onReady?: (step: TriedStep) => void;
  readonly signal?: AbortSignal;
};

export type ShellEnd = TriedStep & { readonly exitCode: number };
export type CommandEnd = TriedStep & ProgramResult;
/** `folder` is where its result is kept; `input` what it was given. */
export type AloneEnd = CommandEnd & { readonly input: unknown };

/**
 * Trying parts of a run on this machine. Steps need catalog, store and what they run in, not the service; nothing that is tried is
 * written to the run.
 */
export interface DebugTools extends AsyncDisposable {
  /**
   * A shell where a step's attempt ran: the same image by digest (or this host, of a process), inputs, environment and checkpoint.
   * @param options.terminal default: this process
   * @throws UnknownRun, UnknownStep, ImageNotFound, DockerUnavailable
   */
  shell(choice: StepChoice, options?: TryOptions & { readonly terminal?: Terminal }): Promise<ShellEnd>;
  /** Runs a step's own command there, and tells how it ended and what it made. @throws as `shell` */
  command(
    choice: StepChoice,
    options?: TryOptions & { readonly onLine?: (line: ProgramLine) => void },
  ): Promise<CommandEnd>;
  /**
   * Runs a step by itself on what its run recorded, or on other input or source. Its result is kept apart: a folder with
   * result.json, out/, output.json and its log, named in the answer; nothing of it is the run's.
   * @throws as `shell`; InvalidInput, StepInputInvalid, DependenciesFailed
   */
  step(
    choice: StepChoice,
    options?: Omit<TryOptions, 'keep'> & StepChanges & { readonly onLine?: (line: ProgramLine) => void },
  ): Promise<AloneEnd>;
  /**
   * Replays the history of a run, and of its child runs, on the project as it is now. Needs the service.
   * @throws UnknownRun, TemporalUnavailable, BuildFailed
   */
  replay(run: string, options?: ReplayOptions): Promise<ReplayReport>;
  /**
   * Replays all open runs of the queue on the project as it is now, before it is deployed. Needs the service.
   * @throws TemporalUnavailable, BuildFailed
   */
  check(options?: CheckOptions): Promise<CheckReport>;
}
