import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type Docker from 'dockerode';
import { DefinitionInvalid, ImageNotFound, InfrastructureFailed } from '../../sdk/errors.js';
import { containerOwner, prepareFolder } from './container-folder.js';
import { containerOptions, needsShell } from './container-options.js';
import { connectDocker, dockerHost } from './docker-connection.js';
import { engineError, statusOf } from './docker-errors.js';
import { engineCall, enginePatience } from './engine-call.js';
import type { Execution } from './executor.js';
import type { ImageFacts } from './image-facts.js';
import { createImageFacts } from './image-facts.js';
import { writeSecretFiles } from './secret-files.js';
import type { ShellOptions, Terminal } from './terminal.js';

/** bash where the image has it. */
const shell = ['/bin/sh', '-c', 'command -v bash >/dev/null 2>&1 && exec bash; exec /bin/sh'];

/**
 * A shell in the container that an attempt would run in: the same image, mounts, limits and environment. Without time or disk
 * limit. Nothing of it is left, also when this process is killed: the engine removes the container when its input ends.
 * @returns the shell's exit code
 * @throws DockerUnavailable, ImageNotFound; DefinitionInvalid for an image without /bin/sh
 */
export async function openDockerShell(
  execution: Execution,
  { terminal, signal }: ShellOptions,
  docker: Docker = connectDocker(),
): Promise<number> {
  const image = await imageOf(docker, execution, signal);
  const owner = containerOwner();
  const [secrets] = await Promise.all([
    writeSecretFiles(execution, {
      owner: process.getuid?.() === 0 ? owner : undefined,
      exports: needsShell(execution),
    }),
    prepareFolder(execution, owner),
  ]);
  try {
    const options = containerOptions({
      execution: { ...execution, command: () => shell },
      image,
      owner,
      helper: execution.helper,
      secrets: secrets?.folder,
    });
    const tty = terminal.stdin.isTTY === true;
    const asked: Docker.ContainerCreateOptions = {
      ...options,
      Tty: tty,
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Env: [...(options.Env ?? []), ...(tty ? [`TERM=${process.env['TERM'] ?? 'xterm'}`] : [])],
      HostConfig: { ...options.HostConfig, AutoRemove: true },
    };
    const container = await engineCall((abortSignal) => docker.createContainer({ ...asked, abortSignal }), {
      ...enginePatience,
      what: 'create the container',
      signal,
    });
    try {
      await requireShell(container, execution);
      return await converse(container, { terminal, tty, signal });
    } finally {
      await remove(container);
    }
  } catch (error) {
    signal.throwIfAborted();
    const known = engineError(error, { what: 'Docker could not run the shell', host: dockerHost() });
    // Nobody tries a shell again by itself.
    throw known.code === 'INFRASTRUCTURE_FAILED'
      ? new InfrastructureFailed(known.what, { hint: '`docker info` shows how the engine is.', cause: error })
      : known;
  } finally {
    await secrets?.remove();
  }
}

async function imageOf(docker: Docker, { image }: Execution, signal: AbortSignal): Promise<ImageFacts> {
  if (!image) throw new InfrastructureFailed('The catalog does not say which image the step ran in.');
  try {
    return await createImageFacts(docker, enginePatience)(image.id, signal);
  } catch (error) {
    if (statusOf(error) !== 404)
      throw engineError(error, { what: 'Docker could not look at the image', host: dockerHost() });
    throw new ImageNotFound(`Image \`${image.reference}\` (${image.id}) is not on this machine.`, {
      hint: `Bring it here with \`docker pull ${image.repoDigest ?? image.reference}\`, or go to the host of its worker.`,
      fields: { image: image.reference, id: image.id },
      cause: error,
    });
  }
}

async function requireShell(container: Docker.Container, { image }: Execution): Promise<void> {
  try {
    const answer = await container.infoArchive({ path: '/bin/sh' });
    // An answer that is not read keeps its connection open.
    answer.resume();
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    throw new DefinitionInvalid(`Image \`${image?.reference}\` has no /bin/sh.`, {
      hint: '`--command` runs the step itself; `--keep` keeps its folder.',
      cause: error,
    });
  }
}

async function converse(
  container: Docker.Container,
  { terminal, tty, signal }: ShellOptions & { readonly tty: boolean },
): Promise<number> {
  const { stdin, stdout, stderr } = terminal;
  const stream = (await container.attach({
    stream: true,
    stdin: true,
    stdout: true,
    stderr: true,
    hijack: true,
  })) as Duplex;
  // Without a terminal the engine sends frames that say which of the two a piece belongs to.
  if (tty) stream.pipe(stdout, { end: false });
  else container.modem.demuxStream(stream, stdout, stderr);
  const drained = once(stream, 'end').catch(() => undefined);
  // Before it starts: the engine forgets a container that it removes by itself.
  const ended = container.wait({ condition: 'next-exit' }) as Promise<{ readonly StatusCode: number }>;
  ended.catch(() => undefined);
  await container.start();
  const stop = () => void remove(container);
  signal.addEventListener('abort', stop, { once: true });
  const release = listen(container, { stream, stdin, stdout, tty });
  try {
    const { StatusCode } = await ended;
    signal.throwIfAborted();
    await Promise.race([drained, pause(drainWithinMs, undefined, { ref: false })]);
    return StatusCode;
  } finally {
    signal.removeEventListener('abort', stop);
    release();
    stream.destroy();
  }
}

/** The engine keeps the stream open a moment after the shell's end. */
const drainWithinMs = 2_000;

/** Passes on what is typed, and the size of the terminal. @returns how to leave the terminal as it was */
function listen(
  container: Docker.Container,
  {
    stream,
    stdin,
    stdout,
    tty,
  }: Omit<Terminal, 'stderr'> & { readonly stream: Duplex; readonly tty: boolean },
): () => void {
  const resize = () => {
    const { rows, columns } = stdout;
    if (rows && columns) container.resize({ h: rows, w: columns }).catch(() => undefined);
  };
  stream.on('error', () => undefined);
  stdin.pipe(stream);
  if (tty) {
    stdin.setRawMode?.(true);
    stdout.on('resize', resize);
    resize();
  }
  return () => {
    stdin.unpipe(stream);
    stdin.pause();
    if (!tty) return;
    stdout.off('resize', resize);
    stdin.setRawMode?.(false);
  };
}

/** The engine removes it by itself too: then it is waited for. */
async function remove(container: Docker.Container): Promise<void> {
  const abortSignal = AbortSignal.timeout(enginePatience.removeMs);
  for (;;) {
    try {
      await container.remove({ force: true, v: true, abortSignal });
      return;
    } catch (error) {
      if (statusOf(error) === 404 || abortSignal.aborted) return;
      await pause(100);
    }
  }
}
