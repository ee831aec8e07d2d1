import type { StepTask } from '../sdk/protocol/messages.js';
import type { StepDefinition } from '../sdk/step.js';
import type { SecretMask } from './mask-secrets.js';
import type { AttemptReport } from './report-attempt.js';
import type { StepEnvironment } from './step-environment.js';

/** One attempt as its parts see it. */
export type Attempt = {
  readonly task: StepTask;
  /** Number of its container start, from 1. */
  readonly attempt: number;
  /** From 2 on an earlier worker had it: its container may be there. */
  readonly delivery: number;
  readonly definition: StepDefinition;
  /** Validated, defaults filled in. */
  readonly input: unknown;
  readonly report: AttemptReport;
  /** Hides the step's secrets in what it says. */
  readonly mask: SecretMask;
  /** What is left of the step's limit of waiting for a worker, ms; undefined where it has none. */
  readonly roomWithinMs: number | undefined;
  /** The program is to be stopped. */
  readonly signal: AbortSignal;
  /** The container goes on without this worker. */
  readonly leave: AbortSignal;
  readonly env: StepEnvironment;
};
