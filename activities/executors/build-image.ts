import type Docker from 'dockerode';
import type { Pack } from 'tar-fs';
import { DependenciesFailed, ImageBuildFailed } from '../../sdk/errors.js';
import { reasonOf, statusOf } from './docker-errors.js';
import { engineMessages } from './engine-progress.js';
import type { WorkOptions } from './executor.js';
import { registryCredentials, registryOf } from './registry-credentials.js';

export type ImageBuild = {
  /** Tar of the context. */
  readonly context: Pack;
  readonly dockerfile: string;
  readonly tag?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly args?: Readonly<Record<string, string>>;
  /** References in its FROM lines: credentials of their registries go along. */
  readonly bases?: readonly string[];
  /** What is built, for people. */
  readonly subject: string;
  readonly failure: 'image' | 'dependencies';
};

export type BuiltImage = { readonly id: string; readonly output: string };

/**
 * Has the engine build an image.
 * @returns the id and all that the build printed
 * @throws ImageBuildFailed or DependenciesFailed with the last lines of it
 */
export async function buildImage(
  docker: Docker,
  { context, dockerfile, tag, labels = {}, args = {}, bases = [], subject, failure }: ImageBuild,
  { signal, onDetail, env }: WorkOptions & { readonly env: NodeJS.ProcessEnv },
): Promise<BuiltImage> {
  let output = '';
  let id: string | undefined;
  const unreadable = new AbortController();
  context.on('error', (error) =>
    unreadable.abort(new Error(`its context could not be read: ${error.message}`)),
  );
  const stop = AbortSignal.any([signal, unreadable.signal]);
  try {
    const stream = await docker.buildImage(context as unknown as NodeJS.ReadableStream, {
      dockerfile,
      ...(tag && { t: tag }),
      labels: { ...labels },
      buildargs: { ...args },
      registryconfig: await registryConfig(bases, { env, signal }),
      rm: true,
      forcerm: true,
      abortSignal: stop,
    });
    for await (const message of engineMessages(stream, stop)) {
      output += message.stream ?? '';
      id = message.aux?.ID ?? id;
      if (message.error) throw new Error(message.error);
      const step = /^Step (\d+\/\d+)/.exec(message.stream ?? '')?.[1];
      if (step) onDetail?.(`building ${subject}: step ${step}`);
    }
    if (!id) throw new Error('the engine named no image at the end of the build');
    return { id, output };
  } catch (error) {
    signal.throwIfAborted();
    if (unreadable.signal.aborted) throw buildError(unreadable.signal.reason, { subject, failure, output });
    if (statusOf(error) === undefined && (error as NodeJS.ErrnoException).code) throw error;
    throw buildError(error, { subject, failure, output });
  }
}

function buildError(
  error: unknown,
  { subject, failure, output }: { subject: string; failure: ImageBuild['failure']; output: string },
): Error {
  const tail = output.trimEnd().split('\n').slice(-lastLines);
  const what = `Building ${subject} failed: ${reasonOf(error).trim()}.\n${tail.join('\n')}\n`;
  const options = { fields: { output: tail }, cause: error };
  return failure === 'dependencies'
    ? new DependenciesFailed(what, {
        ...options,
        hint: 'Mend requirements.txt; `pip install -r` in that image shows the same.',
      })
    : new ImageBuildFailed(what, {
        ...options,
        hint: 'Mend the Dockerfile; `docker build` in its folder shows the same.',
      });
}

const lastLines = 20;

async function registryConfig(
  bases: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal },
): Promise<RegistryConfig> {
  const found: RegistryConfig = {};
  for (const registry of new Set(bases.map(registryOf))) {
    const auth = await registryCredentials(registry, options);
    if (auth?.serveraddress && auth.username !== undefined && auth.password !== undefined) {
      found[auth.serveraddress] = { username: auth.username, password: auth.password };
    }
  }
  return found;
}

type RegistryConfig = Record<string, { username: string; password: string }>;
