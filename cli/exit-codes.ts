import { isMillraceError } from '../sdk/errors.js';
import type { RunStatus } from '../sdk/states.js';

/** What the process ends with; docs/cli.md documents each. */
export const exitCodes = {
  ok: 0,
  /** The run failed, or something broke. */
  failed: 1,
  /** The command line, the input, the configuration or the project's code is wrong. */
  usage: 2,
  /** The Temporal service, the engine or a worker is not there. */
  unavailable: 3,
  /** A person has to decide first. */
  waiting: 4,
  cancelled: 5,
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const usageErrors: ReadonlySet<string> = new Set([
  'USAGE', 'CONFIG_INVALID', 'DEFINITION_INVALID', 'DUPLICATE_NAME', 'STEP_OUTSIDE_STEPS_FILE', 'PIPELINE_USES_NODE', 'BUILD_FAILED',
  'INVALID_INPUT', 'UNKNOWN_PIPELINE', 'UNKNOWN_RUN', 'UNKNOWN_STEP', 'UNKNOWN_GATE', 'UNKNOWN_MODEL', 'UNKNOWN_ARTIFACT', 'RUN_EXISTS', 'DECISION_REFUSED', 'REPAIR_REFUSED',
  'ARTIFACT_MISSING', 'UNSAFE_OUTPUT', 'SECRET_MISSING', 'CAPACITY_EXCEEDED', 'IMAGE_NOT_FOUND',
]); // prettier-ignore
const unavailableErrors: ReadonlySet<string> = new Set([
  'TEMPORAL_UNAVAILABLE', 'TEMPORAL_NOT_FOUND', 'PORT_TAKEN', 'DOCKER_UNAVAILABLE', 'STORE_UNAVAILABLE', 'NO_BUILD',
]); // prettier-ignore

/** For an error of the command itself. A run's own failure goes by its status: `exitCodeOfRun`. */
export function exitCodeOfError(error: unknown): ExitCode {
  if (!isMillraceError(error)) return exitCodes.failed;
  return exitCodeOfErrorCode(error.code);
}

/** @param code an error code of docs/errors.md, or `USAGE` */
export function exitCodeOfErrorCode(code: string): ExitCode {
  if (usageErrors.has(code)) return exitCodes.usage;
  if (unavailableErrors.has(code)) return exitCodes.unavailable;
  return code === 'RUN_CANCELLED' ? exitCodes.cancelled : exitCodes.failed;
}

export function exitCodeOfRun(status: RunStatus): ExitCode {
  if (status === 'completed' || status === 'running') return exitCodes.ok;
  return status === 'cancelled' ? exitCodes.cancelled : exitCodes.failed;
}
