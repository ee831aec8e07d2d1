/** Where in a run something happened; every part that is known appears in the message. */
export type ErrorPlace = {
  readonly run?: string | undefined;
  readonly step?: string | undefined;
  readonly attempt?: number | undefined;
};

export type MillraceErrorOptions = ErrorPlace & {
  /** What the reader can do next: one sentence. */
  readonly hint?: string | undefined;
  /** The facts of this error by name, as JSON. */
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
};

const BRAND = Symbol.for('millrace.error');

/**
 * Base of every error Millrace throws. The message says what happened, where (`[run= step= attempt=]`) and what to do.
 * Recognise one by its `code` (stable, see docs/errors.md), by its class, or with `isMillraceError`.
 */
export class MillraceError extends Error {
  readonly [BRAND] = true;
  readonly code: string;
  readonly what: string;
  readonly place: ErrorPlace;
  readonly hint: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: string, what: string, options: MillraceErrorOptions = {}) {
    super(sentence(what, options), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = className(code);
    this.code = code;
    this.what = what;
    this.place = { run: options.run, step: options.step, attempt: options.attempt };
    this.hint = options.hint;
    this.fields = options.fields ?? {};
  }

  /** The same error, with the place filled in where it was not known when it was thrown. */
  at(place: ErrorPlace): MillraceError {
    return rebuildError(this.code, this.what, {
      ...place,
      ...known(this.place),
      hint: this.hint,
      fields: this.fields,
      cause: this.cause,
    });
  }
}

export const isMillraceError = (value: unknown): value is MillraceError =>
  typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;

function sentence(what: string, { run, step, attempt, hint }: MillraceErrorOptions): string {
  const place = Object.entries({ run, step, attempt })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  return [what, place && `[${place}]`, hint].filter(Boolean).join(' ');
}

const known = (place: ErrorPlace): ErrorPlace =>
  Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined));

type ErrorClass = new (what: string, options?: MillraceErrorOptions) => MillraceError;
const classes = new Map<string, ErrorClass>();

/** `STEP_FAILED` → `StepFailed`. */
const className = (code: string): string =>
  code.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Rebuilds an error from what crossed a process or a Temporal history: the class its code stands for, else the base. */
export function rebuildError(code: string, what: string, options: MillraceErrorOptions): MillraceError {
  const Class = classes.get(code);
  return Class ? new Class(what, options) : new MillraceError(code, what, options);
}

/** Every code there is, for the test that holds docs/errors.md against the code. */
export const errorCodes = (): readonly string[] => [...classes.keys()].sort();

/** `instanceof` of these classes asks for the code, so that it holds across vm contexts and copies of the SDK. */
function defineError(code: string): ErrorClass {
  const Class = class extends MillraceError {
    constructor(what: string, options?: MillraceErrorOptions) {
      super(code, what, options);
    }
    static override [Symbol.hasInstance](value: unknown): boolean {
      return isMillraceError(value) && value.code === code;
    }
  };
  classes.set(code, Class);
  return Class;
}

// Each class by its own statement, so that `name`, stack traces and documentation show it.

/** A config file or an environment variable is wrong. */
export class ConfigInvalid extends defineError('CONFIG_INVALID') {}
/** A pipeline's or step's definition is wrong. */
export class DefinitionInvalid extends defineError('DEFINITION_INVALID') {}
/** Two steps or two pipelines of one name. */
export class DuplicateName extends defineError('DUPLICATE_NAME') {}
/** A step is defined outside a `*.steps.ts` file. */
export class StepOutsideStepsFile extends defineError('STEP_OUTSIDE_STEPS_FILE') {}
/** Workflow code imports a Node module. */
export class PipelineUsesNode extends defineError('PIPELINE_USES_NODE') {}
/** The project could not be bundled or loaded. */
export class BuildFailed extends defineError('BUILD_FAILED') {}
/** A word of the SDK was called outside a running pipeline. */
export class NotInPipeline extends defineError('NOT_IN_PIPELINE') {}
/** A pipeline's input does not fit its schema. */
export class InvalidInput extends defineError('INVALID_INPUT') {}
export class UnknownPipeline extends defineError('UNKNOWN_PIPELINE') {}
/** What was asked can be done with a closed run only. */
export class RunOpen extends defineError('RUN_OPEN') {}
export class UnknownRun extends defineError('UNKNOWN_RUN') {}
/** A run of this id exists with another pipeline or input. */
export class RunExists extends defineError('RUN_EXISTS') {}
export class UnknownStep extends defineError('UNKNOWN_STEP') {}
/** No gate of this name waits for a decision. */
export class UnknownGate extends defineError('UNKNOWN_GATE') {}
/** The decision is not acceptable (already decided, no reason given). */
export class DecisionRefused extends defineError('DECISION_REFUSED') {}
/** No worker has published a build yet. */
export class NoBuild extends defineError('NO_BUILD') {}
export class TemporalUnavailable extends defineError('TEMPORAL_UNAVAILABLE') {}
/** No `temporal` executable could be found or fetched. */
export class TemporalNotFound extends defineError('TEMPORAL_NOT_FOUND') {}
export class PortTaken extends defineError('PORT_TAKEN') {}
export class DockerUnavailable extends defineError('DOCKER_UNAVAILABLE') {}
export class ImageNotFound extends defineError('IMAGE_NOT_FOUND') {}
export class ImageBuildFailed extends defineError('IMAGE_BUILD_FAILED') {}
/** A dependency lock (requirements.txt) could not be installed. */
export class DependenciesFailed extends defineError('DEPENDENCIES_FAILED') {}
export class SecretMissing extends defineError('SECRET_MISSING') {}
/** The step asks for more than any worker has. */
export class CapacityExceeded extends defineError('CAPACITY_EXCEEDED') {}
/** A step's input does not fit its schema. */
export class StepInputInvalid extends defineError('STEP_INPUT_INVALID') {}
/** A step's code failed: a non-zero exit or a thrown error. `fields`: `exitCode`, `logTail`. */
export class StepFailed extends defineError('STEP_FAILED') {}
/** A declared output is missing. */
export class StepOutputMissing extends defineError('STEP_OUTPUT_MISSING') {}
/** An output breaks its schema. */
export class StepOutputInvalid extends defineError('STEP_OUTPUT_INVALID') {}
/** An output or upload holds something that cannot be stored: a link leading outside, a socket, a device. */
export class UnsafeOutput extends defineError('UNSAFE_OUTPUT') {}
/** A JSON value is too large to travel through Temporal. */
export class ValueTooLarge extends defineError('VALUE_TOO_LARGE') {}
export class StepTimeout extends defineError('STEP_TIMEOUT') {}
export class OutOfMemory extends defineError('OUT_OF_MEMORY') {}
export class DiskLimit extends defineError('DISK_LIMIT') {}
export class StepCancelled extends defineError('STEP_CANCELLED') {}
/** Another attempt took this step over; this one must not commit. */
export class AttemptSuperseded extends defineError('ATTEMPT_SUPERSEDED') {}
/** The attempt's container or process is gone, and nobody saw how it ended. */
export class AttemptLost extends defineError('ATTEMPT_LOST') {}
/** The attempt was stopped from outside: by an operator, the engine, or a worker that goes away. */
export class AttemptPreempted extends defineError('ATTEMPT_PREEMPTED') {}
/** The worker is being drained: the container goes on, and the next worker on its host takes it over. */
export class AttemptHandedOver extends defineError('ATTEMPT_HANDED_OVER') {}
/** The attempt's worker has fallen silent. */
export class WorkerLost extends defineError('WORKER_LOST') {}
/** A repair that does not fit the step, or comes to one that is not parked. */
export class RepairRefused extends defineError('REPAIR_REFUSED') {}
/** A run cannot be paused or resumed: it is being cancelled, or it is paused with its parent. */
export class PauseRefused extends defineError('PAUSE_REFUSED') {}
/** A run's cleanup took longer than it may, or a second cancel ended it. */
export class CleanupEnded extends defineError('CLEANUP_ENDED') {}
/** A person ended a parked step. */
export class StepAborted extends defineError('STEP_ABORTED') {}
/** Something of ours or below us broke (engine, store, catalog): retried on its own budget. */
export class InfrastructureFailed extends defineError('INFRASTRUCTURE_FAILED') {}
export class GateFailed extends defineError('GATE_FAILED') {}
export class ApprovalRejected extends defineError('APPROVAL_REJECTED') {}
export class ApprovalExpired extends defineError('APPROVAL_EXPIRED') {}
export class RunTimeout extends defineError('RUN_TIMEOUT') {}
export class RunCancelled extends defineError('RUN_CANCELLED') {}
export class RunFailed extends defineError('RUN_FAILED') {}
/** Content that a reference names is not in the store. */
export class ArtifactMissing extends defineError('ARTIFACT_MISSING') {}
/** The store of artifacts does not answer, or does not take what it is given now. */
export class StoreUnavailable extends defineError('STORE_UNAVAILABLE') {}
/** Content read back has another digest than it was stored under. */
export class ArtifactCorrupt extends defineError('ARTIFACT_CORRUPT') {}
/** No content, or several, begin with this digest; or a tree has no such path. */
export class UnknownArtifact extends defineError('UNKNOWN_ARTIFACT') {}
export class UnknownModel extends defineError('UNKNOWN_MODEL') {}
