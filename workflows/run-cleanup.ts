import { isCancellation } from '@temporalio/workflow';
import type { RunEnd } from '../sdk/cleanup.js';
import { CleanupEnded } from '../sdk/errors.js';
import type { PipelineDefinition } from '../sdk/pipeline.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import { fromFailureInfo, toFailureInfo } from '../sdk/protocol/failure.js';
import { failureInfo, typedError } from './failures.js';
import type { RunCancellation } from './run-cancellation.js';

/** How a run ended. */
export type RunOutcome =
  | { readonly status: 'completed'; readonly output: unknown }
  | { readonly status: 'failed'; readonly failure: FailureInfo; readonly cause?: unknown }
  | { readonly status: 'cancelled' };

/** What the pipeline says is to be done at its end; and what went wrong with it, which changes nothing of the outcome. */
export interface RunCleanup {
  /** The pipeline's function is about to begin: without that there is nothing to clean up. */
  begin(input: unknown): void;
  /** `onCancel` where the run was cancelled, then `finally`. Each runs once. */
  run(outcome: RunOutcome): Promise<void>;
  /** Counts what the pipeline threw after it was cancelled. */
  threw(error: unknown): void;
  /** The first thing that went wrong. */
  readonly failure: () => FailureInfo | undefined;
}

export type CleanupOptions = {
  readonly run: string;
  readonly definition: PipelineDefinition;
  readonly cancellation: RunCancellation;
};

export function runCleanup({ run, definition, cancellation }: CleanupOptions): RunCleanup {
  let failure: FailureInfo | undefined;
  let begun: { readonly input: unknown } | undefined;
  const done = new Set<string>();

  const threw = (thrown: unknown) => {
    const error = typedError(thrown, { run });
    const over = cancellation.cleanupOver();
    if (!isCancellation(error)) failure ??= failureInfo(error, { run });
    else if (over) failure ??= cleanupEnded(over, run);
  };
  async function once(name: 'onCancel' | 'finally', body: (() => Promise<void>) | undefined): Promise<void> {
    if (!body || done.has(name)) return;
    done.add(name);
    try {
      await cancellation.cleanUp(body);
    } catch (error) {
      threw(error);
    }
  }

  return {
    begin(input) {
      begun = { input };
    },
    async run(outcome) {
      if (!begun) return;
      const { input } = begun;
      const { onCancel, finally: last } = definition;
      if (outcome.status === 'cancelled')
        await once('onCancel', onCancel && (() => onCancel(input, cancellation.cause())));
      await once('finally', last && (() => last(input, endOf(outcome))));
    },
    threw,
    failure: () => failure,
  };
}

function endOf(outcome: RunOutcome): RunEnd {
  const { status } = outcome;
  return status === 'failed'
    ? { status, failure: fromFailureInfo(outcome.failure, outcome.cause) }
    : { status };
}

const cleanupEnded = (why: 'time' | 'force', run: string): FailureInfo =>
  toFailureInfo(
    new CleanupEnded(
      why === 'time'
        ? 'The cleanup of the run took longer than it may.'
        : 'The run was cancelled again before its cleanup was done.',
      {
        run,
        hint:
          why === 'time'
            ? 'See what it left behind, or raise `cleanupTimeout` of the pipeline.'
            : 'See what it left behind.',
      },
    ),
  );
