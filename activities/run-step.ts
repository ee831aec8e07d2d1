import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { checkSize } from '../sdk/check-size.js';
import type { MillraceError } from '../sdk/errors.js';
import { AttemptPreempted, AttemptSuperseded, StepCancelled, StepInputInvalid } from '../sdk/errors.js';
import { inputProblems } from '../sdk/input-problems.js';
import { fromFailureInfo, isInfrastructure, isRetryable, toFailureInfo } from '../sdk/protocol/failure.js';
import type { StepResult, StepTask } from '../sdk/protocol/messages.js';
import type { StepDefinition } from '../sdk/step.js';
import { artifactEdges } from './artifact-edges.js';
import { attemptSignals } from './attempt-signals.js';
import { throughCache } from './cache/through-cache.js';
import { forgetStep } from './carry-checkpoint.js';
import { placedError, temporalFailure } from './failures.js';
import type { SecretMask } from './mask-secrets.js';
import { maskedFailure, secretMask } from './mask-secrets.js';
import { recordedOutcome } from './recorded-outcome.js';
import { reportAttempt } from './report-attempt.js';
import { releaseAttempt } from './run-in-executor.js';
import { runWithCheckpoints } from './checkpoints/run-with-checkpoints.js';
import { runInWorker } from './run-in-worker.js';
import type { StepEnvironment } from './step-environment.js';

/**
 * The activity behind every step: validate, wait for room, run, store what it made, record it. One execution is one delivery of
 * one attempt; whether another follows the workflow decides, but for inline steps, whose attempts Temporal counts.
 */
export function createRunStep(env: StepEnvironment): (task: StepTask) => Promise<StepResult> {
  return async (task) => {
    const context = Context.current();
    const { scheduledTimestampMs: since } = context.info;
    const { attempt = context.info.attempt, delivery = 1 } = task;
    const place = { run: task.run, step: task.path, attempt };
    using signals = attemptSignals(task, context.cancellationSignal, env);
    const { signal, leave } = signals;
    const report = reportAttempt({
      task,
      attempt,
      env,
      heartbeat: task.spec.isolation === 'inline' ? undefined : (details) => context.heartbeat(details),
    });
    const forget = async () => {
      if (task.executor !== 'worker') await forgetStep(env.paths.attempt(task.run, task.path, attempt));
    };
    const release = () => releaseAttempt({ task, attempt, env });
    let mask: SecretMask = (value) => value;
    try {
      const recorded = delivery > 1 ? await recordedOutcome(env, place) : undefined;
      if (recorded) {
        await release();
        return recorded;
      }
      mask = await secretMask(task.spec.secrets, env.secrets);
      const definition = await env.placed.definition(task.spec);
      const run = task.executor === 'worker' ? runInWorker : runWithCheckpoints;
      const input = validInput(definition, task);
      const { queueTimeoutMs } = task.spec;
      const roomWithinMs = queueTimeoutMs && Math.max(1, queueTimeoutMs - Math.max(0, Date.now() - since));
      const parts = {
        task,
        attempt,
        delivery,
        definition,
        input,
        report,
        mask,
        roomWithinMs,
        signal,
        leave,
        env,
      };
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
      await release();
      await forget();
      return result;
    } catch (error) {
      const placed = fromFailureInfo(maskedFailure(toFailureInfo(placedError(error, place)), mask), error);
      const superseded = await isSuperseded(env, task, { attempt, since });
      // The container goes on, and who takes it up next goes on with this attempt's row.
      if (placed.code === 'ATTEMPT_HANDED_OVER' && !superseded) throw temporalFailure(placed, true);
      if (signals.why() === 'given-up' || superseded) {
        // Temporal closed this attempt or the run: another attempt may be on its way, and takes the checkpoint over.
        await report.lost(toFailureInfo(new AttemptSuperseded('Temporal gave this attempt up.', place)));
        await release();
        throw new CancelledFailure('given up');
      }
      if (signals.why() === 'cancelled') {
        await report.failed('cancelled', toFailureInfo(new StepCancelled('The step was cancelled.', place)));
        await release();
        await forget();
        throw new CancelledFailure('cancelled');
      }
      const stopped = signals.why() === 'worker-stops';
      const failure = stopped
        ? new AttemptPreempted('The worker stopped while the step ran.', place)
        : placed;
      const last = task.attempt === undefined && (await isLast(env, task, { attempt, failure }));
      env.logger.warn({ ...place, code: failure.code }, `attempt failed: ${failure.what}`);
      // What the run makes of it the workflow says.
      if (failure.code === 'ATTEMPT_LOST') await report.lost(toFailureInfo(failure));
      else await report.failed(last ? 'failed' : 'retrying', toFailureInfo(failure));
      await release();
      if (last) await forget();
      throw temporalFailure(failure, last || task.attempt !== undefined);
    } finally {
      report.stop();
    }
  };
}

/**
 * Whether a later attempt has begun, or this one was given up, though it was not told yet: its end is then that one's doing. A
 * catalog that does not answer says nothing: finished work is not thrown away for it.
 * @param since when the activity was scheduled, ms: where Temporal counts attempts, earlier ones are of an earlier call
 */
async function isSuperseded(
  { catalog, projector, logger }: StepEnvironment,
  { run, path, executor, attempt: counted }: StepTask,
  { attempt, since }: { readonly attempt: number; readonly since: number },
): Promise<boolean> {
  if (executor === 'worker') return false;
  try {
    await projector.flush();
    const attempts = await catalog.attempts(run, path);
    return attempts.some(
      (each) =>
        (counted !== undefined || Date.parse(each.startedAt) >= since) &&
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

/** Whether Temporal must not make another attempt, where it counts them: inline steps, and runs of builds from before workflows did. */
async function isLast(
  env: StepEnvironment,
  task: StepTask,
  { attempt, failure }: { readonly attempt: number; readonly failure: MillraceError },
): Promise<boolean> {
  if (!isRetryable(failure)) return true;
  if (attempt >= (Context.current().info.retryPolicy?.maximumAttempts || Infinity)) return true;
  return !isInfrastructure(failure) && (await authorFailures(env, task)) + 1 >= task.spec.retry.attempts;
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
