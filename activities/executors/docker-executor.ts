import type Docker from 'dockerode';
import { setTimeout as pause } from 'node:timers/promises';
import { DefinitionInvalid, ImageNotFound, InfrastructureFailed } from '../../sdk/errors.js';
import { contract } from '../../sdk/step-contract.js';
import { endOfUnwatched } from './container-end.js';
import { containerOwner, prepareFolder } from './container-folder.js';
import { containerName } from './container-name.js';
import { containerOptions, needsShell } from './container-options.js';
import { connectDocker, dockerHost } from './docker-connection.js';
import { engineError, statusOf, unavailableSentence } from './docker-errors.js';
import type { EnginePatience } from './engine-call.js';
import { engineCall, enginePatience } from './engine-call.js';
import { createImageResolver } from './docker-images.js';
import type { Execution, ExecutionEnd, Executor, ImageResolver } from './executor.js';
import { noEnd } from './executor.js';
import { findContainer } from './find-container.js';
import { readRest } from './follow-output.js';
import type { ImageFacts } from './image-facts.js';
import { createImageFacts } from './image-facts.js';
import type { OutputRate } from './output-rate.js';
import { openOutputLog } from './output-log.js';
import { leftSecretValues, removeSecretFiles, writeSecretFiles } from './secret-files.js';
import { upSince } from './up-since.js';
import type { Grace, WatchedContainer } from './watch-container.js';
import { usedDisk, watchContainer } from './watch-container.js';

export type DockerExecutorOptions = {
  /** The engine. Default: the one the `docker` command would use. */
  readonly docker?: Docker;
  /** Where DOCKER_HOST, registry credentials and pip's settings are looked up. Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** How long the engine may take to answer. */
  readonly patience?: EnginePatience;
  /** How long the engine may take to tell of an end at SIGKILL, ms. Default 20 s. */
  readonly grace?: Grace;
  /** How much an attempt may print. Default: as much as it likes. */
  readonly output?: OutputRate;
};

/** Runs each attempt in a container of its own, which lives apart from the worker: another goes on with it when this one dies. */
export function createDockerExecutor({
  env = process.env,
  docker = connectDocker(env),
  patience = enginePatience,
  grace = {},
  output,
}: DockerExecutorOptions = {}): Executor & ImageResolver {
  const host = dockerHost(env);
  const factsOf = createImageFacts(docker, patience);
  const resolver = createImageResolver({ docker, env, patience });
  const engine = { docker, host, factsOf, patience, grace, output };
  return {
    kind: 'docker',
    resolve: (request, options) => resolver.resolve(request, options),
    unavailable: (options) => unavailable(docker, host, options?.signal),
    async bring(image, request, options) {
      try {
        // Known once, known for good: no step pays for this but the first in an image.
        await factsOf(image.id, options.signal);
      } catch (error) {
        options.signal.throwIfAborted();
        if (statusOf(error) !== 404)
          throw engineError(error, { what: 'Docker could not look at the image', host });
        await resolver.bring(image, request, options);
      }
    },
    async find(identity, { signal }) {
      const found = await findContainer(docker, identity, { host, patience, signal });
      return found === undefined ? 'absent' : found.begun ? 'begun' : 'prepared';
    },
    execute: (execution, { signal, leave = never, takeUp = true }) =>
      execute({ ...engine, execution, signal, leave, takeUp }),
    async release(identity) {
      await removeContainer(docker.getContainer(containerName(identity)), patience);
      await removeSecretFiles(identity);
    },
  };
}

const never = new AbortController().signal;

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
  readonly leave: AbortSignal;
  readonly takeUp: boolean;
  readonly patience: EnginePatience;
  readonly grace: Grace;
  readonly output: OutputRate | undefined;
};

async function execute(run: Run): Promise<ExecutionEnd> {
  const { docker, execution, signal } = run;
  const there = run.takeUp && !signal.aborted ? await findContainer(docker, execution, run) : undefined;
  const found = there?.begun ? there : undefined;
  const secrets = execution.secrets.map(({ value }) => value);
  const log = await openOutputLog(execution.log, {
    // What it was given at its start may have been replaced since.
    secrets: found ? [...secrets, ...(await leftSecretValues(execution))] : secrets,
    createdAt: found?.createdAt,
    limit: run.output,
  });
  let end: ExecutionEnd | undefined;
  try {
    if (signal.aborted) return (end = noEnd('cancelled'));
    const watched = { ...run, log, ranMs: 0 };
    end = found ? await goOn({ ...watched, ...found }) : await runContainer(watched);
    return end;
  } catch (error) {
    if (signal.aborted) return (end = noEnd('cancelled'));
    throw error;
  } finally {
    await log.close({ unended: end?.reason === 'left' ? 'drop' : 'keep' });
  }
}

type NewRun = Run & Omit<WatchedContainer, 'container'>;

/** Follows a container that another worker started, or takes its end. */
async function goOn(
  run: NewRun & NonNullable<Awaited<ReturnType<typeof findContainer>>>,
): Promise<ExecutionEnd> {
  const { container, state, execution, log } = run;
  const packages = await imageOf(run).then(
    (image) => image.packages,
    () => undefined,
  );
  const startedMs = Date.parse(state.StartedAt);
  if (state.Running) return { ...(await watch({ ...run, ranMs: Date.now() - startedMs })), packages };
  await readRest({ container, log, patience: run.patience }, run.signal);
  const reason = endOfUnwatched(state, execution.spec.timeoutMs, await upSince(container.modem));
  const full = (await usedDisk(execution, log)) > execution.spec.resources.disk;
  return {
    ...noEnd(full ? 'disk-limit' : reason),
    exitCode: state.ExitCode,
    durationMs: Math.max(0, Date.parse(state.FinishedAt) - startedMs),
    packages,
  };
}

async function runContainer(run: NewRun): Promise<ExecutionEnd> {
  const { execution } = run;
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
  let container: Docker.Container | undefined;
  try {
    container = await createContainer(run, {
      execution,
      image,
      owner,
      helper: execution.helper,
      secrets: secrets?.folder,
    });
    await start(container, run);
  } catch (error) {
    if (container) await removeContainer(container, run.patience);
    await secrets?.remove();
    throw error;
  }
  return { ...(await watch({ ...run, container })), packages: image.packages };
}

async function start(container: Docker.Container, run: NewRun): Promise<void> {
  try {
    if (needsShell(run.execution)) await requireShell(container, run);
    run.signal.throwIfAborted();
    await ask(run, 'start the container', (abortSignal) => container.start({ abortSignal }));
  } catch (error) {
    run.signal.throwIfAborted();
    throw engineError(error, { what: 'Docker could not run the container', host: run.host });
  }
}

const watch = (run: NewRun & WatchedContainer): Promise<ExecutionEnd> =>
  watchContainer(run).catch((error: unknown) => {
    throw engineError(error, { what: 'Docker could not run the container', host: run.host });
  });

async function createContainer(
  run: NewRun,
  request: Parameters<typeof containerOptions>[0],
): Promise<Docker.Container> {
  const { docker, execution, host, patience } = run;
  const name = containerName(execution);
  const options = { name, ...containerOptions(request) };
  const create = () =>
    ask(run, 'create the container', (abortSignal) => docker.createContainer({ ...options, abortSignal }));
  try {
    return await create().catch(async (error: unknown) => {
      if (statusOf(error) !== 409) throw error;
      // Of an earlier life of this attempt, or never started.
      await removeContainer(docker.getContainer(name), patience);
      return create();
    });
  } catch (error) {
    throw engineError(error, { what: 'Docker could not create the container', host });
  }
}

const ask = <T>(
  { patience, signal }: Run,
  what: string,
  call: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> => engineCall(call, { ...patience, what, signal });

async function imageOf({
  execution: { image },
  factsOf,
  host,
  signal,
}: Pick<Run, 'execution' | 'factsOf' | 'host' | 'signal'>): Promise<ImageFacts> {
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

/** Looked at beforehand, since a program that cannot be started only shows by its exit code. */
async function requireShell(container: Docker.Container, run: NewRun): Promise<void> {
  const { image } = run.execution;
  try {
    await ask(run, 'look for /bin/sh', async (abortSignal) => {
      const answer = await container.infoArchive({ path: '/bin/sh', abortSignal });
      // An answer that is not read keeps its connection open.
      answer.resume();
    });
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    throw new DefinitionInvalid(`Image \`${image?.reference}\` has no /bin/sh.`, {
      hint: `Secrets as environment need one: leave \`env\` out and read the files in ${contract.secrets}/.`,
      cause: error,
    });
  }
}

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
