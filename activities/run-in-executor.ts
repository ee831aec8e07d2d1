import { appendFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { renderCommand } from '../sdk/command-template.js';
import { createHash } from 'node:crypto';
import { sentence } from '../sdk/sentence.js';
import {
  AttemptHandedOver,
  AttemptLost,
  DiskLimit,
  OutOfMemory,
  StepFailed,
  StepTimeout,
} from '../sdk/errors.js';
import { formatBytes } from '../sdk/bytes.js';
import { contract, exitCodes } from '../sdk/step-contract.js';
import type { StepEvent } from '../sdk/step-contract.js';
import { endEarlierAttempts } from './executors/sweep.js';
import { tailEvents } from './event-tail.js';
import type { Execution, ExecutionEnd, SeenPaths } from './executors/executor.js';
import type { Attempt } from './attempt.js';
import { keepCheckpoint, takeCheckpoint } from './carry-checkpoint.js';
import { lastLines } from './last-lines.js';
import { maskedEvent } from './mask-secrets.js';
import { messageLines } from './message-lines.js';
import { resolveSecrets } from './secrets.js';
import { layOutFolder } from './step-folder.js';
import { checkedOutput, digestsOf, readValues, storeArtifacts } from './step-outputs.js';

type FailureEvent = Extract<StepEvent, { type: 'failure' }>;

/** Runs the attempt's program in a container or a process, from laying out its folder to storing what it made. */
export async function runInExecutor(attempt: Attempt): Promise<Readonly<Record<string, unknown>>> {
  const { task, report, signal, env, definition } = attempt;
  const { spec } = task;
  const folder = env.paths.attempt(task.run, task.path, attempt.attempt);
  const log = env.paths.attemptLog(task.run, task.path, attempt.attempt);
  const release = await env.admission.acquire(spec.resources, {
    signal,
    onWait: (detail) => report.queued(detail),
  });
  try {
    if (attempt.delivery > 1) await refuseBegun(attempt);
    await mkdir(path.dirname(log), { recursive: true });
    const execution = await prepare(attempt, folder, log);
    const { end, failure } = await execute(attempt, execution);
    if (attempt.leave.aborted)
      throw new AttemptHandedOver('The worker is drained.', { fields: { host: env.installation } });
    const stored = await env.store.put(log).catch(() => undefined);
    report.facts({ ...defined(end), ...(stored && { log: stored.digest }) });
    await refuseFailedEnd(attempt, { end, failure, log });
    const values = await readValues({ spec, output: definition.output }, folder);
    const given = digestsOf(attempt.input);
    const artifacts = await storeArtifacts({
      spec,
      folder,
      values,
      store: env.store,
      signal,
      given,
    });
    return checkedOutput(definition, { ...values, ...artifacts }, given);
  } finally {
    release();
    await keepCheckpoint(folder);
  }
}

/** Whoever had it before has begun: what is left of it here is ended, and another attempt follows. */
async function refuseBegun({ task, attempt, env }: Attempt): Promise<void> {
  const { run, path: step } = task;
  await env.projector.flush();
  const begun = (await env.catalog.attempts(run, step)).some((each) => each.attempt === attempt);
  if (!begun) return;
  await endEarlierAttempts({ installation: env.installation, run, step, attempt: attempt + 1 });
  throw new AttemptLost('The worker of the attempt is gone.', { run, step, attempt });
}

async function prepare(
  { task, attempt, input, signal, env }: Attempt,
  folder: string,
  log: string,
): Promise<Execution> {
  const { spec, run, path: step } = task;
  const inDocker = task.executor === 'docker';
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  if (attempt > 1) {
    await loseEarlierAttempts({ run, step, attempt }, env);
    await endEarlierAttempts({ installation: env.installation, run, step, attempt });
  }
  await takeCheckpoint(folder);
  const secrets = await resolveSecrets(spec.secrets, env.secrets);
  await layOutFolder({ folder, input, mode: inDocker ? 'link' : 'copy', store: env.store, signal });
  return {
    installation: env.installation,
    run,
    step,
    attempt,
    key: identity(task),
    spec,
    image: task.image,
    command: (seen) => commandOf(task.executor, spec, input, seen),
    folder,
    source: await placeSource(task, folder, env),
    code: spec.run === 'function' && spec.code ? await env.placed.place('code', spec.code) : undefined,
    helper: await env.placed.helper(),
    log,
    secrets,
  };
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

/** A container sees the shared copy through a read-only mount; a process gets one of its own, which it may write to. */
async function placeSource(
  { executor, spec }: Attempt['task'],
  folder: string,
  env: Attempt['env'],
): Promise<string | undefined> {
  if (!spec.source) return undefined;
  if (executor === 'docker') return env.placed.place('tree', spec.source);
  const own = path.join(folder, 'source');
  await env.store.place(spec.source, own, { mode: 'copy' });
  return own;
}

function commandOf(
  executor: string,
  spec: Execution['spec'],
  input: unknown,
  seen: SeenPaths,
): readonly string[] {
  if (spec.command) return renderCommand(spec.command, input, seen.folder);
  return [executor === 'docker' ? 'node' : process.execPath, seen.code ?? ''];
}

async function execute(
  { report, mask, signal, leave, env, task }: Attempt,
  execution: Execution,
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
  });
  const executor = task.executor === 'docker' ? env.docker : env.process;
  try {
    report.running();
    const end = await executor.execute(execution, {
      signal: AbortSignal.any([signal, leave]),
      onDetail: (detail) => report.running(detail),
    });
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

/** Turns an end that is no success into the error people read. */
async function refuseFailedEnd(
  { task, signal }: Attempt,
  { end, failure, log }: { end: ExecutionEnd; failure: FailureEvent | undefined; log: string },
): Promise<void> {
  const { spec, run, path: step } = task;
  const hint = `See \`millrace logs ${run} ${step}\`.`;
  if (end.reason === 'exited' && end.exitCode === 0) return;
  const logTail = await lastLines(log, 50);
  switch (end.reason) {
    case 'cancelled':
      signal.throwIfAborted();
      return;
    case 'timeout':
      throw new StepTimeout(`Step \`${spec.name}\` ran longer than its limit of ${spec.timeoutMs} ms.`, {
        hint: `Raise its \`timeout\`. ${hint}`,
        fields: { logTail },
      });
    case 'out-of-memory':
      throw new OutOfMemory(
        `Step \`${spec.name}\` needed more than its ${formatBytes(spec.resources.memory)} of memory.`,
        { hint: `Raise \`resources.memory\`. ${hint}`, fields: { logTail } },
      );
    case 'disk-limit':
      throw new DiskLimit(
        `Step \`${spec.name}\` wrote more than its ${formatBytes(spec.resources.disk)} of disk.`,
        { hint: `Raise \`resources.disk\` or write less. ${hint}`, fields: { logTail } },
      );
    case 'exited':
      throw new StepFailed(
        failure
          ? `Step \`${spec.name}\` failed: ${sentence(failure.message)}`
          : `Step \`${spec.name}\` ended with exit code ${end.exitCode}.`,
        {
          fields: {
            exitCode: end.exitCode,
            logTail,
            retryable: end.exitCode !== exitCodes.nonRetryable && failure?.retryable !== false,
          },
          hint,
        },
      );
  }
}

/** What this execution is, whatever attempt it is: a label that tells one work from another. */
const identity = ({ spec, image, input }: Attempt['task']): string =>
  createHash('sha256')
    .update(JSON.stringify([spec, image?.id ?? null, input]))
    .digest('hex');
