import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { AttemptSuperseded, InfrastructureFailed, StepCancelled, StepInputInvalid } from '../sdk/errors.js';
import { checkSize } from '../sdk/check-size.js';
import { inputProblems } from '../sdk/input-problems.js';
import { fromFailureInfo, isInfrastructure, isRetryable, toFailureInfo } from '../sdk/protocol/failure.js';
import type { StepResult, StepTask } from '../sdk/protocol/messages.js';
import type { StepDefinition } from '../sdk/step.js';
import { artifactEdges } from './artifact-edges.js';
import { throughCache } from './cache/through-cache.js';
import { isGivenUp, isWorkerShutdown, placedError, temporalFailure } from './failures.js';
import { forgetStep } from './carry-checkpoint.js';
import type { SecretMask } from './mask-secrets.js';
import { maskedFailure, secretMask } from './mask-secrets.js';
import { reportAttempt } from './report-attempt.js';
import { runInExecutor } from './run-in-executor.js';
import { runInWorker } from './run-in-worker.js';
import type { StepEnvironment } from './step-environment.js';

/** The activity behind every step: validate, wait for room, run, store what it made, record it. */
export function createRunStep(env: StepEnvironment): (task: StepTask) => Promise<StepResult> {
  return async (task) => {
    const context = Context.current();
    const { retryPolicy, scheduledTimestampMs: since } = context.info;
    const { attempt = context.info.attempt, delivery = 1 } = task;
    const place = { run: task.run, step: task.path, attempt };
    const signal = context.cancellationSignal;
    const report = reportAttempt({
      task,
      attempt,
      env,
      heartbeat: task.spec.isolation === 'inline' ? undefined : (details) => context.heartbeat(details),
    });
    const forget = async () => {
      if (task.executor !== 'worker') await forgetStep(env.paths.attempt(task.run, task.path, attempt));
    };
    let mask: SecretMask = (value) => value;
    try {
      mask = await secretMask(task.spec.secrets, env.secrets);
      const definition = await env.placed.definition(task.spec);
      const run = task.executor === 'worker' ? runInWorker : runInExecutor;
      const input = validInput(definition, task);
      const parts = { task, attempt, delivery, definition, input, report, mask, signal, env };
      const result = await throughCache(parts, async () => {
        const output = await run(parts);
        checkSize(output, `The output of step \`${task.spec.name}\``, place);
        // A superseded or cancelled attempt must not commit.
        signal.throwIfAborted();
        if (await isSuperseded(env, task, { attempt, since }))
          throw new AttemptSuperseded('Another attempt has taken this step over.', place);
        return output;
      });
      await report.completed(result, artifactEdges(task, result.output));
      await forget();
      return result;
    } catch (error) {
      if (isGivenUp(signal) || (await isSuperseded(env, task, { attempt, since }))) {
        // Temporal closed this attempt or the run: another attempt may be on its way, and takes the checkpoint over.
        await report.lost(toFailureInfo(new AttemptSuperseded('Temporal gave this attempt up.', place)));
        throw new CancelledFailure('given up');
      }
      if (signal.aborted && !isWorkerShutdown(signal)) {
        await report.failed('cancelled', toFailureInfo(new StepCancelled('The step was cancelled.', place)));
        await forget();
        throw signal.reason instanceof CancelledFailure ? signal.reason : new CancelledFailure('cancelled');
      }
      const placed = signal.aborted
        ? new InfrastructureFailed('The worker shut down while the step ran.', {
            ...place,
            hint: 'Another attempt follows by itself.',
          })
        : fromFailureInfo(maskedFailure(toFailureInfo(placedError(error, place)), mask), error);
      const final =
        !isRetryable(placed) ||
        attempt >= (retryPolicy?.maximumAttempts || Infinity) ||
        (!isInfrastructure(placed) && (await authorFailures(env, task)) + 1 >= task.spec.retry.attempts);
      env.logger.warn(
        { ...place, code: placed.code },
        `attempt failed${final ? '' : ', another follows'}: ${placed.what}`,
      );
      await report.failed(final ? 'failed' : 'retrying', toFailureInfo(placed));
      if (final) await forget();
      throw temporalFailure(placed, final);
    } finally {
      report.stop();
    }
  };
}

/**
 * Whether a later attempt has begun, though this one was not told yet: its end is then that one's doing. Only attempts since the
 * activity was scheduled count: a step whose lost input was computed again begins anew with the first. A catalog that does not
 * answer says nothing: finished work is not thrown away for it.
 * @param since when the activity was scheduled, ms
 */
async function isSuperseded(
  { catalog, projector, logger }: StepEnvironment,
  { run, path, executor }: StepTask,
  { attempt, since }: { readonly attempt: number; readonly since: number },
): Promise<boolean> {
  if (executor === 'worker') return false;
  try {
    await projector.flush();
    const attempts = await catalog.attempts(run, path);
    return attempts.some(
      (each) =>
        Date.parse(each.startedAt) >= since &&
        (each.attempt > attempt || (each.attempt === attempt && each.status === 'lost')),
    );
  } catch (error) {
    logger.warn({ err: error, run, step: path, attempt }, 'could not ask whether a later attempt has begun');
    return false;
  }
}

function validInput(definition: StepDefinition, { spec, run, path, input }: StepTask): unknown {
  const parsed = definition.input.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = inputProblems(parsed.error);
  throw new StepInputInvalid(`The input of step \`${spec.name}\` is wrong: ${problems.join('; ')}.`, {
    run,
    step: path,
    fields: { problems },
    hint: 'Mend the call in the pipeline.',
  });
}

/** Failed attempts so far that were the author's: lost workers and broken infrastructure do not use up retries. */
async function authorFailures(
  { catalog, projector }: StepEnvironment,
  { run, path, spec }: StepTask,
): Promise<number> {
  if (spec.retry.attempts === 1) return 0;
  await projector.flush();
  const attempts = await catalog.attempts(run, path);
  return attempts.filter(
    ({ status, failure }) => status === 'failed' && failure && !isInfrastructure(failure),
  ).length;
}
