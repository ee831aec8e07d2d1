import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { checkSize } from '../sdk/check-size.js';
import type { ErrorPlace, MillraceError } from '../sdk/errors.js';
import { AttemptPreempted, AttemptSuperseded, StepCancelled, StepInputInvalid } from '../sdk/errors.js';
import { inputProblems } from '../sdk/input-problems.js';
import { fromFailureInfo, isInfrastructure, isRetryable, toFailureInfo } from '../sdk/protocol/failure.js';
import type { StepHeartbeat, StepResult, StepTask } from '../sdk/protocol/messages.js';
import type { StepDefinition } from '../sdk/step.js';
import { artifactEdges } from './artifact-edges.js';
import type { AttemptSignals } from './attempt-signals.js';
import { attemptSignals } from './attempt-signals.js';
import { throughCache } from './cache/through-cache.js';
import { forgetStep } from './carry-checkpoint.js';
import { takeFileLock } from './executors/file-lock.js';
import { placedError, temporalFailure } from './failures.js';
import { handedOver, inTrouble as inTroubleNow, wasLeft } from './handed-over.js';
import { heartbeatMs } from './heartbeat-interval.js';
import type { SecretMask } from './mask-secrets.js';
import { maskedFailure, secretMask } from './mask-secrets.js';
import { recordedOutcome } from './recorded-outcome.js';
import type { AttemptReport } from './report-attempt.js';
import { hostOf, reportAttempt } from './report-attempt.js';
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
    const { cancellationSignal, info } = Context.current();
    const { attempt = info.attempt, delivery = 1 } = task;
    using signals = attemptSignals(task, cancellationSignal, env);
    const given: Given = {
      task,
      attempt,
      delivery,
      place: { run: task.run, step: task.path, attempt },
      signals,
      env,
    };
    // Until the end is recorded: a worker that Temporal has given up may have the attempt still.
    const letGo = await alone(given);
    try {
      const recorded =
        delivery > 1
          ? await recordedOutcome(env, given.place).catch((error: unknown) => {
              throw inTrouble(given, error);
            })
          : undefined;
      if (recorded) await tidyUp(given, { forget: false });
      if (recorded && 'failure' in recorded) throw temporalFailure(fromFailureInfo(recorded.failure), true);
      return recorded?.result ?? (await runAttempt(given));
    } finally {
      await letGo();
    }
  };
}

type Given = {
  readonly task: StepTask;
  readonly attempt: number;
  readonly delivery: number;
  readonly place: ErrorPlace;
  readonly signals: AttemptSignals;
  readonly env: StepEnvironment;
};

/** Waits until no other worker of this host has the attempt. @returns lets go of it */
async function alone(given: Given): Promise<() => Promise<void>> {
  const { task, attempt, delivery, signals, env } = given;
  if (task.executor === 'worker') return () => Promise.resolve();
  const log = env.paths.attemptLog(task.run, task.path, attempt);
  const { signal, leave } = signals;
  const beating = delivery > 1 ? beats(given) : undefined;
  try {
    await mkdir(path.dirname(log), { recursive: true });
    const lock = await takeFileLock(`${log}.lock`, { signal: AbortSignal.any([signal, leave]) });
    return async () => {
      await lock[Symbol.asyncDispose]();
    };
  } catch (error) {
    if (wasLeft(error, signals))
      throw temporalFailure(handedOver(env, { kept: delivery > 1, cause: error }), true);
    throw signal.aborted ? new CancelledFailure('cancelled') : inTrouble(given, error);
  } finally {
    clearInterval(beating);
  }
}

/** Who waits for the attempt must not seem dead, and hears of a cancellation only by the answers. */
function beats({ task, env }: Given): NodeJS.Timeout {
  const { heartbeat } = contextOf();
  const beat: StepHeartbeat = { status: 'running', ...hostOf(task, env) };
  heartbeat(beat);
  return setInterval(() => heartbeat(beat), heartbeatMs);
}

/** The container goes on whatever keeps this worker from seeing to it: others, or itself a moment later, find it as it is. */
function inTrouble({ task, delivery, env }: Given, error: unknown): unknown {
  return task.executor === 'docker' && delivery > 1 ? temporalFailure(inTroubleNow(env, error), true) : error;
}

async function runAttempt(given: Given): Promise<StepResult> {
  const { task, attempt, delivery, place, signals, env } = given;
  const { heartbeat, info } = contextOf();
  const since = info.scheduledTimestampMs;
  const { signal, leave } = signals;
  const report = reportAttempt({
    task,
    attempt,
    env,
    heartbeat: task.spec.isolation === 'inline' ? undefined : heartbeat,
  });
  let mask: SecretMask = (value) => value;
  try {
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
      if (await isSuperseded(given)) throw superseded(place);
      return output;
    });
    await report.completed(result, artifactEdges(task, result.output));
    // What fenced it may have come in this very moment: the catalog took the one or the other.
    if (await isSuperseded(given)) throw superseded(place);
    await tidyUp(given, { forget: true });
    return result;
  } catch (error) {
    throw await recordEnd(given, {
      report,
      failure: fromFailureInfo(maskedFailure(toFailureInfo(placedError(error, place)), mask), error),
    });
  } finally {
    report.stop();
  }
}

const contextOf = () => {
  const context = Context.current();
  return { info: context.info, heartbeat: (details: unknown) => context.heartbeat(details) };
};

const superseded = (place: ErrorPlace) =>
  new AttemptSuperseded('Another attempt has taken this step over.', place);

/** Records an attempt's end without a result. @returns what to tell Temporal */
async function recordEnd(
  given: Given,
  { report, failure }: { readonly report: AttemptReport; readonly failure: MillraceError },
): Promise<Error> {
  const { task, attempt, place, signals, env } = given;
  const others = failure.code === 'ATTEMPT_SUPERSEDED' || (await isSuperseded(given));
  // The container goes on, and who takes it up next goes on with this attempt's row.
  if (failure.code === 'ATTEMPT_HANDED_OVER' && !others) return temporalFailure(failure, true);
  // Its program was stopped because of that; one that had come to an end by itself tells how, for whoever asks next.
  const stopped = signals.signal.aborted;
  if (others || (stopped && signals.why() === 'given-up')) {
    const givenUp = new AttemptSuperseded('Temporal gave this attempt up.', place);
    // One that never began its next delivery begins under the same number.
    if (others || report.hasBegun()) await report.lost(toFailureInfo(givenUp));
    await tidyUp(given, { forget: false });
    // Only who was cancelled may say so: the service takes it from nobody else.
    const asked = Context.current().cancellationSignal.aborted;
    return asked ? new CancelledFailure('given up') : temporalFailure(givenUp, true);
  }
  if (stopped && signals.why() === 'cancelled') {
    await report.failed('cancelled', toFailureInfo(new StepCancelled('The step was cancelled.', place)));
    await tidyUp(given, { forget: true });
    return new CancelledFailure('cancelled');
  }
  const ended = stopped ? new AttemptPreempted('The worker stopped while the step ran.', place) : failure;
  const last = task.attempt === undefined && (await isLast(env, task, { attempt, failure: ended }));
  env.logger.warn({ ...place, code: ended.code }, `attempt failed: ${ended.what}`);
  // What the run makes of it the workflow says.
  if (ended.code === 'ATTEMPT_LOST') await report.lost(toFailureInfo(ended));
  else await report.failed(last ? 'failed' : 'retrying', toFailureInfo(ended));
  await tidyUp(given, { forget: last });
  return temporalFailure(ended, last || task.attempt !== undefined);
}

/**
 * Removes what an attempt left, its end being recorded. What cannot be removed now the sweep removes: it undoes no end.
 * @param options.forget the step has ended: its earlier attempts' folders go, too
 */
async function tidyUp(
  { task, attempt, place, env }: Given,
  { forget }: { readonly forget: boolean },
): Promise<void> {
  if (task.executor === 'worker') return;
  try {
    await releaseAttempt({ task, attempt, env });
    if (forget) await forgetStep(env.paths.attempt(task.run, task.path, attempt));
  } catch (error) {
    env.logger.warn({ ...place, err: error }, 'could not remove what the attempt left');
  }
}

/**
 * Whether a later attempt has begun, or this one was given up, though it was not told yet: its end is then that one's doing. A
 * catalog that does not answer says nothing: finished work is not thrown away for it. Where Temporal counts attempts, those from
 * before the activity was scheduled are of an earlier call.
 */
async function isSuperseded({ task, attempt, env }: Given): Promise<boolean> {
  const { run, path, executor, attempt: counted } = task;
  const { catalog, projector, logger } = env;
  if (executor === 'worker') return false;
  const since = Context.current().info.scheduledTimestampMs;
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
