import type { z } from 'zod';
import type { CancelCause, RunEnd } from './cleanup.js';
import { defaultCleanupMs } from './cleanup.js';
import type { Duration } from './duration.js';
import { durationMs } from './duration.js';
import type { FailurePolicy, OnFailure } from './failure-policy.js';
import { failurePolicy } from './failure-policy.js';
import { currentRuntime } from './runtime.js';
import { checkName } from './check-name.js';

export const PIPELINE = Symbol.for('millrace.pipeline');

export type PipelineOptions<I extends z.ZodType> = {
  /** Unique in the project; also the Temporal workflow type. */
  readonly name: string;
  readonly input: I;
  readonly description?: string;
  /** Longest time of a whole run, waiting for people included. Default: none. */
  readonly timeout?: Duration;
  /** A run that goes on for longer is overdue: it goes on, and whoever asks to be notified is told once. Default: never. */
  readonly expectedWithin?: Duration;
  /** What becomes of its steps when no attempt is left, where they do not say so themselves. Default: as the run says, else `fail`. */
  readonly onFailure?: OnFailure;
  /**
   * Undoes what a cancelled run leaves, when its steps have been stopped and before `finally`. It may use every word; what it
   * does is shown like the rest of the run. That it fails does not change what the run came to.
   */
  readonly onCancel?: (input: z.output<I>, cause: CancelCause) => Promise<void>;
  /** Runs last, however the run ended, as `onCancel` does; not where it was ended from outside or by its own `timeout`. */
  readonly finally?: (input: z.output<I>, end: RunEnd) => Promise<void>;
  /** Longest time of `onCancel`, `finally` and what `catch` and `finally` blocks do in a cancelled run, together. Default 10 minutes. */
  readonly cleanupTimeout?: Duration;
};

export type PipelineDefinition<I extends z.ZodType = z.ZodType, O = unknown> = {
  readonly name: string;
  readonly description: string | undefined;
  readonly input: I;
  readonly timeoutMs: number | undefined;
  readonly expectedWithinMs: number | undefined;
  readonly onFailure: FailurePolicy | undefined;
  readonly onCancel: ((input: z.output<I>, cause: CancelCause) => Promise<void>) | undefined;
  readonly finally: ((input: z.output<I>, end: RunEnd) => Promise<void>) | undefined;
  readonly cleanupMs: number;
  readonly body: (input: z.output<I>) => Promise<O>;
};

/** Called inside another pipeline it is a child run, shown in the same tree. */
export type Pipeline<I extends z.ZodType = z.ZodType, O = unknown> = ((input: z.input<I>) => Promise<O>) & {
  readonly [PIPELINE]: PipelineDefinition<I, O>;
};

/** Any pipeline, whatever its input and output. */
export type AnyPipeline = {
  readonly [PIPELINE]: {
    readonly name: string;
    readonly input: z.ZodType;
    readonly body: (input: never) => Promise<unknown>;
  };
};
/** What a run of the pipeline is started with; of one known by name only, anything. */
export type InputOf<P> = P extends { readonly [PIPELINE]: { readonly input: infer I extends z.ZodType } }
  ? z.input<I>
  : unknown;
/** What a run of the pipeline gives. */
export type OutputOf<P> = P extends {
  readonly [PIPELINE]: { readonly body: (input: never) => Promise<infer O> };
}
  ? O
  : unknown;

/**
 * Declares a pipeline: one deterministic function in a `*.pipeline.ts` file, replayed by Temporal. Its steps, gates and
 * approvals are plain calls; loops and `Promise.all` are its graph.
 * @throws DefinitionInvalid naming the option that is wrong
 */
export function pipeline<I extends z.ZodType, O>(
  options: PipelineOptions<I>,
  body: (input: z.output<I>) => Promise<O>,
): Pipeline<I, O> {
  checkName(options.name, 'pipeline');
  const definition: PipelineDefinition<I, O> = {
    name: options.name,
    description: options.description,
    input: options.input,
    timeoutMs:
      options.timeout === undefined
        ? undefined
        : durationMs(options.timeout, `timeout\` of pipeline \`${options.name}`),
    expectedWithinMs:
      options.expectedWithin === undefined
        ? undefined
        : durationMs(options.expectedWithin, `expectedWithin\` of pipeline \`${options.name}`),
    onFailure: failurePolicy(options.onFailure, `Pipeline \`${options.name}\``),
    onCancel: options.onCancel,
    finally: options.finally,
    cleanupMs:
      options.cleanupTimeout === undefined
        ? defaultCleanupMs
        : durationMs(options.cleanupTimeout, `cleanupTimeout\` of pipeline \`${options.name}`),
    body,
  };
  const call = (input: z.input<I>) =>
    currentRuntime(`Pipeline \`${options.name}\``).pipeline(definition, input) as Promise<O>;
  return Object.assign(call, { [PIPELINE]: definition });
}

export const isPipeline = (value: unknown): value is Pipeline =>
  typeof value === 'function' && PIPELINE in value;
