import type Docker from 'dockerode';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { DefinitionInvalid, ImageNotFound, InfrastructureFailed } from '../../sdk/errors.js';
import { contract } from '../../sdk/step-contract.js';
import { containerOwner, prepareFolder } from './container-folder.js';
import { containerOptions, needsShell } from './container-options.js';
import type { ContainerUsage } from './container-usage.js';
import { sampleUsage } from './container-usage.js';
import { demultiplex } from './demultiplex.js';
import { diskUsage } from './disk-usage.js';
import { connectDocker, dockerHost } from './docker-connection.js';
import { engineError, statusOf, unavailableSentence } from './docker-errors.js';
import type { EnginePatience } from './engine-call.js';
import { engineCall, enginePatience } from './engine-call.js';
import { createImageResolver } from './docker-images.js';
import type { Execution, ExecutionEnd, Executor, ImageResolver } from './executor.js';
import type { ExecutionLimits, LimitsOptions } from './execution-limits.js';
import { watchLimits } from './execution-limits.js';
import type { ImageFacts } from './image-facts.js';
import { createImageFacts } from './image-facts.js';
import type { OutputLog } from './output-log.js';
import { openOutputLog } from './output-log.js';
import { writeSecretFiles } from './secret-files.js';

export type DockerExecutorOptions = {
  /** The engine. Default: the one the `docker` command would use. */
  readonly docker?: Docker;
  /** Where DOCKER_HOST, registry credentials and pip's settings are looked up. Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** How long the engine may take to answer. */
  readonly patience?: EnginePatience;
  /** How long a program may take to end at SIGTERM, and the engine to tell of an end at SIGKILL, ms. Default 10 s and 20 s. */
  readonly grace?: Grace;
};

type Grace = Pick<LimitsOptions, 'graceMs' | 'unansweredMs'>;

/** Runs each attempt in a fresh container, removed at its end. */
export function createDockerExecutor({
  env = process.env,
  docker = connectDocker(env),
  patience = enginePatience,
  grace = {},
}: DockerExecutorOptions = {}): Executor & ImageResolver {
  const host = dockerHost(env);
  const factsOf = createImageFacts(docker, patience);
  const resolver = createImageResolver({ docker, env, patience });
  return {
    kind: 'docker',
    resolve: (request, options) => resolver.resolve(request, options),
    unavailable: (options) => unavailable(docker, host, options?.signal),
    execute: (execution, { signal }) =>
      execute({ docker, host, factsOf, execution, signal, patience, grace }),
  };
}

async function unavailable(
  docker: Docker,
  host: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const limit = AbortSignal.timeout(answerWithinMs);
  try {
    const abortSignal = AbortSignal.any([limit, ...(signal ? [signal] : [])]);
    const { Os } = await (docker as unknown as VersionCall).version({ abortSignal });
    return Os === 'linux'
      ? undefined
      : `The Docker engine at ${host} runs ${Os} containers: switch it to Linux containers.`;
  } catch (error) {
    signal?.throwIfAborted();
    return limit.aborted
      ? `The Docker engine at ${host} did not answer within ${answerWithinMs / 1000} s: see \`docker info\`, restart it.`
      : unavailableSentence(error, host);
  }
}

const answerWithinMs = 5_000;

/** Its options are missing from dockerode's types. */
type VersionCall = {
  version(options: { readonly abortSignal: AbortSignal }): Promise<{ readonly Os: string }>;
};

type Run = {
  readonly docker: Docker;
  readonly host: string;
  readonly factsOf: (id: string, signal: AbortSignal) => Promise<ImageFacts>;
  readonly execution: Execution;
  readonly signal: AbortSignal;
  readonly patience: EnginePatience;
  readonly grace: Grace;
};

async function execute(run: Run): Promise<ExecutionEnd> {
  const { execution, signal } = run;
  const log = await openOutputLog(execution.log, { secrets: execution.secrets.map(({ value }) => value) });
  try {
    if (signal.aborted) return notStarted('cancelled');
    return await runContainer(run, log);
  } catch (error) {
    if (signal.aborted) return notStarted('cancelled');
    throw error;
  } finally {
    await log.close();
  }
}

async function runContainer(run: Run, log: OutputLog): Promise<ExecutionEnd> {
  const { docker, host, execution, signal, patience, grace } = run;
  const what = (tried: string) => ({ what: `Docker could not ${tried}`, host });
  const owner = containerOwner();
  // Before anything that would have to be undone.
  const image = await imageOf(run);
  const [secrets] = await Promise.all([
    writeSecretFiles(execution, {
      owner: process.getuid?.() === 0 ? owner : undefined,
      exports: needsShell(execution),
    }),
    prepareFolder(execution, owner),
  ]);
  try {
    const options = containerOptions({
      execution,
      image,
      owner,
      helper: execution.helper,
      secrets: secrets?.folder,
    });
    const container = await engineCall((abortSignal) => docker.createContainer({ ...options, abortSignal }), {
      ...patience,
      what: 'create the container',
      signal,
    }).catch((error: unknown) => {
      throw engineError(error, what('create the container'));
    });
    try {
      const end = await runToEnd({ container, execution, log, signal, patience, grace });
      return { ...end, packages: image.packages };
    } catch (error) {
      throw engineError(error, what('run the container'));
    } finally {
      await removeContainer(container, patience);
    }
  } finally {
    await secrets?.remove();
  }
}

async function imageOf({ execution: { image }, factsOf, host, signal }: Run): Promise<ImageFacts> {
  if (!image) throw new InfrastructureFailed('A step without an image came to the Docker executor.');
  try {
    return await factsOf(image.id, signal);
  } catch (error) {
    if (statusOf(error) !== 404)
      throw engineError(error, { what: 'Docker could not look at the image', host });
    throw new ImageNotFound(`Image \`${image.reference}\` (${image.id}) is no longer on this machine.`, {
      hint: `Its digest is fixed for the run: bring it back with \`docker pull\` or start a new run.`,
      fields: { image: image.reference, id: image.id },
      cause: error,
    });
  }
}

type Started = Pick<Run, 'execution' | 'signal' | 'patience' | 'grace'> & {
  readonly container: Docker.Container;
  readonly log: OutputLog;
};

async function runToEnd(started: Started): Promise<ExecutionEnd> {
  const { container, execution, log, signal, patience } = started;
  const ask = <T>(what: string, call: (abortSignal: AbortSignal) => Promise<T>): Promise<T> =>
    engineCall(call, { ...patience, what, signal });
  if (needsShell(execution))
    await ask('look for /bin/sh', (abortSignal) => requireShell(container, execution, abortSignal));
  const attached = await ask('attach to the container', (abortSignal) =>
    container.attach({ stream: true, stdout: true, stderr: true, abortSignal }),
  );
  const drained = pipeline(attached, demultiplex(log.sinks));
  // Awaited below, and not lost where starting fails first.
  drained.catch(() => undefined);
  if (signal.aborted) return notStarted('cancelled');
  const from = performance.now();
  await ask('start the container', (abortSignal) => container.start({ abortSignal }));
  const usage = sampleUsage(container);
  const limits = limitsOf(started);
  const waiting = new AbortController();
  try {
    const waited = container.wait({ abortSignal: waiting.signal }) as Promise<{
      readonly StatusCode: number;
    }>;
    // Aborted below, where nobody waits any more.
    waited.catch(() => undefined);
    // Rejects where the log cannot be written: nothing would be known of a program that goes on.
    const ended = await Promise.race([waited, drained.then(() => waited), limits.unanswered]);
    if (!ended)
      return {
        ...notStarted(limits.reason() ?? 'cancelled'),
        durationMs: Math.round(performance.now() - from),
      };
    const { StatusCode: exitCode } = ended;
    const durationMs = Math.round(performance.now() - from);
    await Promise.race([drained, pause(drainWithinMs, undefined, { ref: false })]);
    const outOfMemory = exitCode !== 0 && (await wasOutOfMemory(container, patience));
    return await endOf({ execution, limits, usage, exitCode, outOfMemory, durationMs });
  } finally {
    waiting.abort();
    usage.stop();
    await limits.close();
  }
}

/** Asked also of a program that ended because it was cancelled. */
async function wasOutOfMemory(container: Docker.Container, patience: EnginePatience): Promise<boolean> {
  const { State } = await engineCall((abortSignal) => container.inspect({ abortSignal }), {
    ...patience,
    what: 'tell how the container ended',
    signal: new AbortController().signal,
  });
  return State.OOMKilled;
}

/** The engine keeps the stream open a moment after the program's end. */
const drainWithinMs = 5_000;

/** Looked at beforehand, since a program that cannot be started only shows by its exit code. */
async function requireShell(
  container: Docker.Container,
  { image }: Execution,
  abortSignal: AbortSignal,
): Promise<void> {
  try {
    const answer = await container.infoArchive({ path: '/bin/sh', abortSignal });
    // An answer that is not read keeps its connection open.
    answer.resume();
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    throw new DefinitionInvalid(`Image \`${image?.reference}\` has no /bin/sh.`, {
      hint: `Secrets as environment need one: leave \`env\` out and read the files in ${contract.secrets}/.`,
      cause: error,
    });
  }
}

function limitsOf({ container, execution, log, signal, patience, grace }: Started): ExecutionLimits {
  const { folder, spec } = execution;
  const given = new Set([contract.inputs, contract.secrets].map((name) => path.join(folder, name)));
  return watchLimits({
    timeoutMs: spec.timeoutMs,
    disk: spec.resources.disk,
    // The root is read-only and /tmp lies in memory: the folder is all that is written to disk.
    usage: async () => log.size() + (await diskUsage(folder, given)),
    send: async (name) => {
      // It may have ended by itself.
      await container
        .kill({ signal: name, abortSignal: AbortSignal.timeout(patience.removeMs) })
        .catch(() => undefined);
    },
    signal,
    ...grace,
  });
}

async function endOf({
  execution,
  limits,
  usage,
  exitCode,
  outOfMemory,
  durationMs,
}: {
  readonly execution: Execution;
  readonly limits: ExecutionLimits;
  readonly usage: ContainerUsage;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  readonly durationMs: number;
}): Promise<ExecutionEnd> {
  await limits.close();
  const sampled = usage.peakMemoryBytes();
  return {
    reason: limits.reason() ?? (outOfMemory ? 'out-of-memory' : 'exited'),
    exitCode,
    durationMs,
    cpuSeconds: usage.cpuSeconds(),
    peakMemoryBytes: outOfMemory ? Math.max(sampled ?? 0, execution.spec.resources.memory) : sampled,
    packages: undefined,
  };
}

const notStarted = (reason: ExecutionEnd['reason']): ExecutionEnd => ({
  reason,
  exitCode: undefined,
  durationMs: 0,
  cpuSeconds: undefined,
  peakMemoryBytes: undefined,
  packages: undefined,
});

/** Where the engine does not answer any more the sweep removes what is left. */
async function removeContainer(container: Docker.Container, { removeMs }: EnginePatience): Promise<void> {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const abortSignal = AbortSignal.timeout(removeMs);
    try {
      await container.remove({ force: true, v: true, abortSignal });
      return;
    } catch (error) {
      if (statusOf(error) === 404 || abortSignal.aborted) return;
      await pause(1_000);
    }
  }
}
