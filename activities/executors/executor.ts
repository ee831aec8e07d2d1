import type { ResolvedImage } from '../../sdk/protocol/messages.js';
import type { ImageSpec } from '../../sdk/image.js';
import type { StepSpec } from '../../sdk/step-spec.js';

/** Whose execution this is: on containers as labels, on processes as environment. */
export type ExecutionIdentity = {
  /** Id of this state directory: two installations on one engine never touch each other's. */
  readonly installation: string;
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  /** Digest of spec and input. */
  readonly key: string;
};

/** One attempt, its folder already laid out on this host by docs/step-contract.md. */
export type Execution = ExecutionIdentity & {
  readonly spec: StepSpec;
  readonly image: ResolvedImage | undefined;
  /** Program and arguments, given where the step sees its folder, source and bundle. */
  readonly command: (seen: SeenPaths) => readonly string[];
  /** Host folder that holds input.json, in/, out/, checkpoint/, events.jsonl, secrets/. */
  readonly folder: string;
  /** Host folder with the source, or undefined. */
  readonly source: string | undefined;
  /** Host file with a function step's bundle, or undefined. */
  readonly code: string | undefined;
  /** Host folder with the Python helper. */
  readonly helper: string;
  /** Host file that output is written to, a line at a time: `<ISO time> <out|err> <text>`, secrets masked. */
  readonly log: string;
  /** Values of the declared secrets; files are made of them on tmpfs where the host has one. */
  readonly secrets: readonly { readonly name: string; readonly value: string; readonly env: boolean }[];
};

/** The step's own view: container paths, or host paths for a process. */
export type SeenPaths = {
  readonly folder: string;
  readonly source: string | undefined;
  readonly code: string | undefined;
};

export type ExecutionEnd = {
  /**
   * Why it ended. `exited` also covers a non-zero code. `cancelled`: the signal aborted. `stopped-outside`: SIGTERM or SIGKILL by
   * somebody else. `left`: it was to be left; a container goes on, a process was stopped.
   */
  readonly reason:
    'exited' | 'out-of-memory' | 'timeout' | 'disk-limit' | 'cancelled' | 'stopped-outside' | 'left';
  readonly exitCode: number | undefined;
  /** Time from start to end of the program, ms. */
  readonly durationMs: number;
  readonly cpuSeconds: number | undefined;
  readonly peakMemoryBytes: number | undefined;
  /** `name==version` of the packages its requirements resolved to. */
  readonly packages: readonly string[] | undefined;
};

/** An end of which no more is known. */
export const noEnd = (reason: ExecutionEnd['reason']): ExecutionEnd => ({
  reason,
  exitCode: undefined,
  durationMs: 0,
  cpuSeconds: undefined,
  peakMemoryBytes: undefined,
  packages: undefined,
});

export type ImageRequest = {
  readonly image: ImageSpec;
  /** Host folder of the source. With a `requirements.txt` in it the image is derived from base and lock, built once. */
  readonly requirements: string | undefined;
  /** Host folder of `image.build`'s context. */
  readonly context: string | undefined;
};

/** `begun`: started, running or ended, to be taken up by `execute`. `prepared`: never started; `execute` begins it anew. */
export type FoundExecution = 'begun' | 'prepared' | 'absent';

/** Runs one attempt's program: the only thing that differs between Docker and a process on the host. */
export interface Executor {
  readonly kind: 'docker' | 'process';
  /** Undefined when it can run steps here; else one sentence saying why not and what to do. */
  unavailable(options?: { readonly signal?: AbortSignal }): Promise<string | undefined>;
  /**
   * What there is of this attempt here. A process ends with its worker and cannot be taken up.
   * @throws DockerUnavailable, InfrastructureFailed
   */
  find(identity: ExecutionIdentity, options: { readonly signal: AbortSignal }): Promise<FoundExecution>;
  /**
   * Runs the program to its end and returns how it ended; throws only when the executor itself fails. On abort the program
   * is stopped (SIGTERM, then SIGKILL after the step's `stopGraceMs`) before it returns. A container stays until `release`, so that its end can be
   * taken once more by another worker when this one dies before it was recorded.
   * @throws DockerUnavailable, ImageNotFound, DependenciesFailed, InfrastructureFailed; AttemptLost when nobody can say how it
   * ended; DefinitionInvalid for secrets that cannot be given as the step asks
   */
  execute(execution: Execution, options: ExecuteOptions): Promise<ExecutionEnd>;
  /** Removes what is left of an attempt: its container, running or not, and its files of secrets. Never throws: a sweep follows. */
  release(identity: ExecutionIdentity): Promise<void>;
}

export type ExecuteOptions = WorkOptions & {
  /** Ends the watch without stopping a container; a process is stopped. Once a program is started only. */
  readonly leave?: AbortSignal;
  /** Whether a program of this attempt that is there is followed; else it is removed, as one of an earlier life. Default: true. */
  readonly takeUp?: boolean;
};

export type WorkOptions = {
  readonly signal: AbortSignal;
  /** Called with words such as `pulling 40 %`, and with none when that is over. */
  readonly onDetail?: (detail: string) => void;
};

/** What only an executor with images can do. */
export interface ImageResolver {
  /**
   * The image's id: there already, pulled with the user's credentials, derived or built.
   * @throws ImageNotFound, ImageBuildFailed, DependenciesFailed, DockerUnavailable
   */
  resolve(request: ImageRequest, options: WorkOptions): Promise<ResolvedImage>;
  /**
   * Brings an image that another host resolved to this one: there already, pulled by its registry's digest, or made from the same
   * request where that gives the same image.
   * @throws InfrastructureFailed when this host cannot have it: another may; DockerUnavailable
   */
  bring(image: ResolvedImage, request: () => Promise<ImageRequest>, options: WorkOptions): Promise<void>;
}

export type InterpreterRequest = {
  /** The step's command as it is declared; undefined for a function. */
  readonly command: readonly string[] | undefined;
  /** Host folder of the source. */
  readonly source: string | undefined;
  /** Whether packages that are not there yet may be installed, which takes its time. */
  readonly install: boolean;
};

/** What runs steps on this host, in words that change when it does. */
export type HostInterpreter = {
  /** `node v20.19.0`, or digests of the programs that the command names. */
  readonly programs: readonly string[];
  /** `name==version` of what its requirements resolved to. */
  readonly packages?: readonly string[];
};

/** What only an executor on the host itself can do. */
export interface InterpreterResolver {
  /**
   * What would run the step.
   * @returns undefined when packages would have to be installed first, and may not
   * @throws DependenciesFailed
   */
  interpreter(request: InterpreterRequest, options: WorkOptions): Promise<HostInterpreter | undefined>;
}
