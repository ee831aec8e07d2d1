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
import { createImageResolver } from './docker-images.js';
import type { Execution, ExecutionEnd, Executor, ImageResolver } from './executor.js';
import type { ExecutionLimits } from './execution-limits.js';
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
};

/** Runs each attempt in a fresh container, removed at its end. */
export function createDockerExecutor({
  env = process.env,
  docker = connectDocker(env),
}: DockerExecutorOptions = {}): Executor & ImageResolver {
  const host = dockerHost(env);
  const factsOf = createImageFacts(docker);
  const resolver = createImageResolver({ docker, env });
  return {
    kind: 'docker',
    resolve: (request, options) => resolver.resolve(request, options),
    unavailable: (options) => unavailable(docker, host, options?.signal),
    execute: (execution, { signal }) => execute({ docker, host, factsOf, execution, signal }),
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
  readonly factsOf: (id: string) => Promise<ImageFacts>;
  readonly execution: Execution;
  readonly signal: AbortSignal;
};

async function execute(run: Run): Promise<ExecutionEnd> {
  const { execution, signal } = run;
  const log = await openOutputLog(execution.log, { secrets: execution.secrets.map(({ value }) => value) });
  try {
    if (signal.aborted) return notStarted('cancelled');
    return await runContainer(run, log);
  } finally {
    await log.close();
  }
}

async function runContainer(
  { docker, host, factsOf, execution, signal }: Run,
  log: OutputLog,
): Promise<ExecutionEnd> {
  const what = (tried: string) => ({ what: `Docker could not ${tried}`, host });
  const owner = containerOwner();
  const [image, secrets] = await Promise.all([
    imageOf(execution, factsOf, host),
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
    const container = await docker.createContainer(options).catch((error: unknown) => {
      throw engineError(error, what('create the container'));
    });
    try {
      const end = await runToEnd({ container, execution, log, signal });
      return { ...end, packages: image.packages };
    } catch (error) {
      throw engineError(error, what('run the container'));
    } finally {
      await removeContainer(container);
    }
  } finally {
    await secrets?.remove();
  }
}

async function imageOf({ image }: Execution, factsOf: Run['factsOf'], host: string): Promise<ImageFacts> {
  if (!image) throw new InfrastructureFailed('A step without an image came to the Docker executor.');
  try {
    return await factsOf(image.id);
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

type Started = {
  readonly container: Docker.Container;
  readonly execution: Execution;
  readonly log: OutputLog;
  readonly signal: AbortSignal;
};

async function runToEnd({ container, execution, log, signal }: Started): Promise<ExecutionEnd> {
  if (needsShell(execution)) await requireShell(container, execution);
  const attached = await container.attach({ stream: true, stdout: true, stderr: true });
  const drained = pipeline(attached, demultiplex(log.sinks));
  // Awaited below, and not lost where starting fails first.
  drained.catch(() => undefined);
  if (signal.aborted) return notStarted('cancelled');
  const from = performance.now();
  await container.start();
  const usage = sampleUsage(container);
  const limits = limitsOf({ container, execution, log, signal });
  try {
    const waited = container.wait() as Promise<{ readonly StatusCode: number }>;
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
    const outOfMemory = exitCode !== 0 && (await container.inspect()).State.OOMKilled;
    return await endOf({ execution, limits, usage, exitCode, outOfMemory, durationMs });
  } finally {
    usage.stop();
    await limits.close();
  }
}

/** The engine keeps the stream open a moment after the program's end. */
const drainWithinMs = 5_000;

/** Looked at beforehand, since a program that cannot be started only shows by its exit code. */
async function requireShell(container: Docker.Container, { image }: Execution): Promise<void> {
  try {
    const answer = await container.infoArchive({ path: '/bin/sh' });
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

function limitsOf({ container, execution, log, signal }: Started): ExecutionLimits {
  const { folder, spec } = execution;
  const given = new Set([contract.inputs, contract.secrets].map((name) => path.join(folder, name)));
  return watchLimits({
    timeoutMs: spec.timeoutMs,
    disk: spec.resources.disk,
    // The root is read-only and /tmp lies in memory: the folder is all that is written to disk.
    usage: async () => log.size() + (await diskUsage(folder, given)),
    send: async (name) => {
      // It may have ended by itself.
      await container.kill({ signal: name }).catch(() => undefined);
    },
    signal,
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
async function removeContainer(container: Docker.Container): Promise<void> {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    try {
      await container.remove({ force: true, v: true, abortSignal: AbortSignal.timeout(15_000) });
      return;
    } catch (error) {
      if (statusOf(error) === 404) return;
      await pause(1_000);
    }
  }
}
