import { appendFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { AttemptLost, StepTimeout } from '../sdk/errors.js';
import { failureKind } from '../sdk/protocol/failure.js';
import { contract } from '../sdk/step-contract.js';
import { endEarlierAttempts } from './executors/end-earlier-attempts.js';
import { keepOutput } from './executors/keep-output.js';
import { tailEvents } from './event-tail.js';
import type { Execution, ExecutionEnd, ExecutionIdentity, Executor } from './executors/executor.js';
import type { AttemptRecord } from '../store/catalog.js';
import { acquireRoom } from './acquire-room.js';
import type { Attempt } from './attempt.js';
import type { DiskState } from './full-disk.js';
import { watchDisk } from './full-disk.js';
import { keepCheckpoint, noteWork } from './carry-checkpoint.js';
import { restoreCheckpoint } from './checkpoints/restore-checkpoint.js';
import { placedError } from './failures.js';
import { bringImage } from './bring-image.js';
import { handedOver, inTrouble, wasLeft } from './handed-over.js';
import { storingLog } from './logs/storing-log.js';
import { noteLog } from './logs/unstored-logs.js';
import { executionKey, makeExecution } from './make-execution.js';
import { maskedEvent } from './mask-secrets.js';
import { messageLines } from './message-lines.js';
import type { FailureEvent } from './refuse-failed-end.js';
import { refuseFailedEnd } from './refuse-failed-end.js';
import { resolveSecrets } from './secrets.js';
import { layOutFolder } from './step-folder.js';
import { workKey } from './work-key.js';
import { checkedOutput, digestsOf, readValues, storeArtifacts } from './step-outputs.js';

/**
 * Runs the attempt's program in a container or a process, from laying out its folder to storing what it made. A container that
 * an earlier worker began is followed to its end instead.
 * @throws AttemptHandedOver when it was left while its container goes on; AttemptLost when it had begun, and is not there any more
 */
export async function runInExecutor(attempt: Attempt): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await followed(attempt);
  } catch (error) {
    // One that was never begun any host may begin.
    throw wasLeft(error, attempt)
      ? handedOver(attempt.env, { kept: attempt.delivery > 1, cause: error })
      : error;
  }
}

/**
 * Removes what an attempt left, once its end is recorded: its container, its secrets, how far its events were read; its folder
 * shrinks to the checkpoint. Not before: who takes the end once more needs all of it.
 */
export async function releaseAttempt({
  task,
  attempt,
  env,
}: Pick<Attempt, 'task' | 'attempt' | 'env'>): Promise<void> {
  if (task.executor === 'worker') return;
  await executorOf(task, env).release(identityOf({ task, attempt, env }));
  await rm(eventsPosition(env.paths.attemptLog(task.run, task.path, attempt)), { force: true });
  await keepCheckpoint(env.paths.attempt(task.run, task.path, attempt));
}

async function followed(attempt: Attempt): Promise<Readonly<Record<string, unknown>>> {
  const { task, signal, leave, env, definition } = attempt;
  const { spec } = task;
  const folder = env.paths.attempt(task.run, task.path, attempt.attempt);
  const log = env.paths.attemptLog(task.run, task.path, attempt.attempt);
  await mkdir(path.dirname(log), { recursive: true });
  const off = AbortSignal.any([signal, leave]);
  const begun = await patiently(attempt, () => hasBegun(attempt));
  const giveBack = await takeRoom(attempt, { begun, off });
  try {
    const prepared = () => prepare(attempt, { folder, log, begun, off });
    const execution = await (begun ? patiently(attempt, prepared) : prepared());
    leave.throwIfAborted();
    const { end, failure, disk } = await executeLogged(attempt, execution, begun);
    if (isHandedOver(attempt, end)) throw handedOver(env, { kept: true });
    attempt.report.facts(defined(end));
    await refuseFailedEnd(attempt, { end, failure, log, disk });
    const values = await readValues({ spec, output: definition.output }, folder);
    const given = digestsOf(attempt.input);
    // It ended well: what it made is worth waiting for the store, and is not made once more.
    const artifacts = await patiently(attempt, () =>
      storeArtifacts({ spec, folder, values, store: env.store, signal, given }),
    );
    return checkedOutput(definition, { ...values, ...artifacts }, given);
  } finally {
    giveBack();
  }
}

/**
 * What goes on with a container, running or ended. Where something of ours is in the way, and not the engine, it stays as it is,
 * and this host tries again.
 * @throws AttemptHandedOver then
 */
async function patiently<T>({ task, env, signal, leave }: Attempt, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = placedError(error, {});
    const canWait = task.executor === 'docker' && task.attempt !== undefined;
    if (!canWait || signal.aborted || leave.aborted) throw error;
    if (failureKind(known) !== 'infrastructure' || known.code === 'DOCKER_UNAVAILABLE') throw error;
    throw inTrouble(env, error);
  }
}

type Executed = Awaited<ReturnType<typeof execute>> & { readonly disk: DiskState | undefined };

/** Its output goes to the store in chunks while it runs, and as one when it has ended. */
async function executeLogged(
  attempt: Attempt,
  execution: Execution,
  begun: AttemptRecord | boolean,
): Promise<Executed> {
  const { report, signal, leave, env } = attempt;
  const { run, step: path, log: file } = execution;
  const place = { run, path, attempt: attempt.attempt };
  const work = async () => {
    using watchedDisk = watchDisk(execution.folder, { unseen: begun !== false });
    const executed = await execute(attempt, execution, begun);
    // Now, and not when the store has taken the log: there may be room again by then.
    return { ...executed, disk: await watchedDisk.atEnd() };
  };
  const storeWhole = async () => {
    // What the store does not take soon it gets later, from this host's file: nobody waits for it.
    const limit = AbortSignal.timeout(signal.aborted ? cancelledLogMs : wholeLogMs);
    const stored = await env.store.put(file, { signal: limit }).catch(() => undefined);
    if (stored) report.facts({ log: stored.digest });
  };
  const isLeft = ({ end }: Executed) => isHandedOver(attempt, end);
  await noteLog(env.paths, place).catch((error: unknown) =>
    env.logger.warn({ ...place, err: error }, 'a log that is not stored at its end will not be later'),
  );
  let executed: Executed;
  try {
    executed = await storingLog({ ...place, file, env }, work, { isLeft });
  } catch (error) {
    if (!leave.aborted) await storeWhole();
    throw error;
  }
  if (!isLeft(executed)) await storeWhole();
  return executed;
}

const wholeLogMs = 60_000;
/** Who cancels waits for the container to be gone. */
const cancelledLogMs = 1_000;

const isHandedOver = ({ task }: Attempt, end: ExecutionEnd): boolean =>
  end.reason === 'left' && task.executor === 'docker';

/**
 * Whether the attempt's program is there, running or ended: then its row, where it had come to that.
 * @throws AttemptLost when it had begun and is gone
 */
async function hasBegun({ task, attempt, delivery, signal, env }: Attempt): Promise<AttemptRecord | boolean> {
  if (delivery === 1) return false;
  const { run, path: step } = task;
  await env.projector.flush();
  const row = (await env.catalog.attempts(run, step)).find((each) => each.attempt === attempt);
  const found = await executorOf(task, env).find(identityOf({ task, attempt, env }), { signal });
  if (found === 'begun') return row ?? true;
  // Its worker died before it could start it: nothing is lost.
  if (found === 'prepared') return false;
  if (row?.status !== 'running' && row?.status !== 'lost') return false;
  await endEarlier({ task, attempt: attempt + 1, env }, signal);
  throw new AttemptLost(
    task.executor === 'docker'
      ? 'The container is gone, and nobody saw how it ended.'
      : 'The worker is gone, and the process ended with it.',
    { run, step, attempt, hint: 'Another attempt follows by itself.' },
  );
}

const endEarlier = (
  { task, attempt, env }: Pick<Attempt, 'task' | 'attempt' | 'env'>,
  signal: AbortSignal,
): Promise<void> =>
  endEarlierAttempts({
    installation: env.installation,
    run: task.run,
    step: task.path,
    attempt,
    executor: executorOf(task, env).kind,
    beforeRemoval: keepOutput(env.paths),
    signal,
  });

/** What runs already is counted, not waited for. */
async function takeRoom(
  attempt: Attempt,
  { begun, off }: { readonly begun: AttemptRecord | boolean; readonly off: AbortSignal },
): Promise<() => void> {
  const { roomWithinMs, env } = attempt;
  const { name, resources, queueTimeoutMs } = attempt.task.spec;
  if (begun) return env.admission.count(resources);
  const late = new AbortController();
  const timer = roomWithinMs === undefined ? undefined : setTimeout(() => late.abort(), roomWithinMs);
  try {
    return await acquireRoom(attempt, { resources, signal: AbortSignal.any([off, late.signal]) });
  } catch (error) {
    if (!late.signal.aborted || off.aborted) throw error;
    throw new StepTimeout(
      `Step \`${name}\` waited longer than its limit of ${queueTimeoutMs} ms for room on a worker.`,
      { hint: 'Start more workers, or raise `timeout.queue`.', fields: { limit: 'queue' } },
    );
  } finally {
    clearTimeout(timer);
  }
}

const executorOf = (task: Attempt['task'], env: Attempt['env']): Executor =>
  task.executor === 'docker' ? env.docker : env.process;

const identityOf = ({
  task,
  attempt,
  env,
}: Pick<Attempt, 'task' | 'attempt' | 'env'>): ExecutionIdentity => ({
  installation: env.installation,
  run: task.run,
  step: task.path,
  attempt,
  key: executionKey(task),
});

const eventsPosition = (log: string): string => `${log}.events`;

async function prepare(
  { task, attempt, delivery, input, signal, report, env }: Attempt,
  {
    folder,
    log,
    begun,
    off,
  }: {
    readonly folder: string;
    readonly log: string;
    readonly begun: AttemptRecord | boolean;
    readonly off: AbortSignal;
  },
): Promise<Execution> {
  const { spec, run, path: step } = task;
  const secrets = await resolveSecrets(spec.secrets, env.secrets);
  if (!begun) {
    await bringImage(task, env, { signal: off, onDetail: report.queued });
    // A worker that died meanwhile may have carried the checkpoint over already: nobody else has it.
    if (delivery > 1) await keepCheckpoint(folder);
    else await rm(folder, { recursive: true, force: true });
    await rm(eventsPosition(log), { force: true });
    await mkdir(folder, { recursive: true });
    const work = workKey(task);
    await noteWork(folder, work);
    if (attempt > 1) {
      await loseEarlierAttempts({ run, step, attempt }, env);
      await endEarlier({ task, attempt, env }, off);
    }
    await restoreCheckpoint({ run, path: step, attempt, work, folder, env });
    const mode = task.executor === 'docker' ? 'link' : 'copy';
    await layOutFolder({ folder, input, mode, store: env.store, signal });
  }
  return makeExecution({
    task,
    attempt,
    installation: env.installation,
    input,
    folder,
    log,
    secrets,
    env,
  });
}

/** Said before they are killed: an attempt that its successor ends has not failed by itself, and costs the author none. */
async function loseEarlierAttempts(
  { run, step, attempt }: { readonly run: string; readonly step: string; readonly attempt: number },
  { catalog, projector }: Attempt['env'],
): Promise<void> {
  await projector.flush();
  const earlier = (await catalog.attempts(run, step)).filter(
    (each) => each.attempt < attempt && each.status === 'running',
  );
  if (earlier.length === 0) return;
  const closedAt = new Date().toISOString();
  projector.add({ attempts: earlier.map((each) => ({ ...each, status: 'lost', closedAt })) });
  await projector.flush();
}

async function execute(
  { report, mask, signal, leave, env, task }: Attempt,
  execution: Execution,
  begun: AttemptRecord | boolean,
): Promise<{ end: ExecutionEnd; failure: FailureEvent | undefined }> {
  let failure: FailureEvent | undefined;
  const tail = tailEvents(path.join(execution.folder, contract.events), {
    onEvent: (said) => {
      const event = maskedEvent(said, mask);
      if (event.type === 'failure') failure = event;
      // Between lines of the program's own: both are appended whole.
      else if (event.type === 'message') appendFileSync(execution.log, messageLines(event).join('\n') + '\n');
      report.event(event);
    },
    onGarbage: (line) =>
      env.logger.warn(
        { run: task.run, step: task.path, line: mask(line).slice(0, 200) },
        'the step wrote a line to its events file that is no event',
      ),
    position: eventsPosition(execution.log),
  });
  try {
    if (typeof begun === 'object') report.adopted(begun);
    else report.running();
    const end = await executorOf(task, env).execute(execution, {
      signal,
      leave,
      takeUp: begun !== false,
      onDetail: (detail) => report.running(detail),
    });
    if (end.reason === 'left') await tail.leave();
    // What the step said last may lie in the file still.
    await tail[Symbol.asyncDispose]();
    return { end, failure };
  } finally {
    await tail[Symbol.asyncDispose]();
  }
}

const defined = ({ exitCode, cpuSeconds, peakMemoryBytes, packages }: ExecutionEnd) => ({
  ...(exitCode !== undefined && { exitCode }),
  ...(cpuSeconds !== undefined && { cpuSeconds }),
  ...(peakMemoryBytes !== undefined && { peakMemoryBytes }),
  ...(packages && { packages }),
});
