import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type Docker from 'dockerode';
import { ImageBuildFailed, InfrastructureFailed } from '../../sdk/errors.js';
import { isInfrastructure } from '../../sdk/protocol/failure.js';
import type { ImageSpec } from '../../sdk/image.js';
import type { ResolvedImage } from '../../sdk/protocol/messages.js';
import { readBuildContext } from './build-context.js';
import { buildImage } from './build-image.js';
import { derivedTag, deriveImage } from './derive-image.js';
import { dockerHost } from './docker-connection.js';
import { engineError, statusOf } from './docker-errors.js';
import type { EnginePatience } from './engine-call.js';
import { engineCall } from './engine-call.js';
import type { WorkOptions, ImageRequest, ImageResolver } from './executor.js';
import { pullImage } from './pull-image.js';
import { readRequirements } from './requirements.js';
import { createSharedWork } from './shared-work.js';

export type ImageResolverOptions = {
  readonly docker: Docker;
  /** Where registry credentials and pip's settings are looked up. */
  readonly env: NodeJS.ProcessEnv;
  readonly patience: EnginePatience;
};

/** Finds, pulls, builds and derives images; the same one once, however many ask at a time. */
export function createImageResolver({ docker, env, patience }: ImageResolverOptions): ImageResolver {
  const share = createSharedWork<void>();
  const host = dockerHost(env);

  /** The image of that name, made first where it is not there. */
  async function ensure(
    reference: string,
    make: (options: WorkOptions) => Promise<void>,
    options: WorkOptions,
  ): Promise<ResolvedImage> {
    const look = () =>
      engineCall(() => inspect(docker, reference), {
        ...patience,
        what: 'look at the image',
        signal: options.signal,
      });
    const found = await look();
    if (found) return found;
    await share(reference, make, options);
    const made = await look();
    if (made) return made;
    throw new InfrastructureFailed(`Image \`${reference}\` was made, but the engine does not know it.`);
  }

  const withEnv = (options: WorkOptions) => ({ ...options, env });

  async function base({ image, context }: ImageRequest, options: WorkOptions): Promise<ResolvedImage> {
    if (image.kind === 'build') return build(image, context, options);
    const { reference } = image;
    return ensure(reference, (shared) => pullImage(docker, reference, withEnv(shared)), options);
  }

  async function build(
    { context: name, dockerfile }: Extract<ImageSpec, { kind: 'build' }>,
    folder: string | undefined,
    options: WorkOptions,
  ): Promise<ResolvedImage> {
    const subject = `image ${name}`;
    const text = folder && (await readFile(path.join(folder, dockerfile), 'utf8').catch(() => undefined));
    if (folder === undefined || text === undefined) {
      throw new ImageBuildFailed(`The context of ${subject} has no ${dockerfile}.`, {
        hint: 'Add it, or name it with the option `dockerfile` of `image.build`.',
      });
    }
    const context = await readBuildContext(folder, dockerfile);
    const tag = `millrace/built:${context.digest.slice(0, 32)}`;
    const make = async (shared: WorkOptions) => {
      const request = { context: context.tar(), dockerfile, tag, bases: basesOf(text), subject } as const;
      await buildImage(docker, { ...request, failure: 'image' }, withEnv(shared));
    };
    return ensure(tag, make, options);
  }

  async function resolve(request: ImageRequest, options: WorkOptions): Promise<ResolvedImage> {
    try {
      const found = await base(request, options);
      const requirements = request.requirements && (await readRequirements(request.requirements));
      if (!requirements) return found;
      const derive = (shared: WorkOptions) =>
        deriveImage(docker, { base: found, requirements }, withEnv(shared));
      return await ensure(derivedTag(found, requirements), derive, options);
    } catch (error) {
      options.signal.throwIfAborted();
      throw engineError(error, { what: 'Docker could not make the image ready', host });
    }
  }

  /** By the registry's digest, which names the same image everywhere; a tag may have moved on. */
  async function pullExactly({ id, repoDigest }: ResolvedImage, options: WorkOptions): Promise<boolean> {
    if (repoDigest === undefined) return false;
    await share(repoDigest, (shared) => pullImage(docker, repoDigest, withEnv(shared)), options);
    return (await inspect(docker, id)) !== undefined;
  }

  return {
    resolve,
    async bring(image, request, options) {
      const { reference, id } = image;
      const fields = { image: reference, id };
      const hint =
        'Its digest is fixed for the run: bring it to each host, from a registry or with `docker save` and `docker load`.';
      try {
        if (await pullExactly(image, options)) return;
        const made = await resolve(await request(), options);
        if (made.id === id) return;
        throw new InfrastructureFailed(
          `Image \`${reference}\` is not on this host as the run has it (${id}): here it is ${made.id}.`,
          { hint, fields },
        );
      } catch (error) {
        options.signal.throwIfAborted();
        const known = engineError(error, { what: 'Docker could not look at the image', host });
        if (isInfrastructure(known)) throw known;
        throw new InfrastructureFailed(`Image \`${reference}\` (${id}) is not on this host: ${known.what}`, {
          hint,
          fields,
          cause: error,
        });
      }
    },
  };
}

async function inspect(docker: Docker, reference: string): Promise<ResolvedImage | undefined> {
  try {
    const { Id, RepoDigests } = await docker.getImage(reference).inspect();
    const [name] = reference.split(/@|:(?=[^/]*$)/);
    const digests = RepoDigests ?? [];
    const repoDigest = digests.find((digest) => digest.startsWith(`${name}@`)) ?? digests[0];
    return { reference, id: Id as ResolvedImage['id'], ...(repoDigest && { repoDigest }) };
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** Images that the FROM lines of a Dockerfile name. */
const basesOf = (dockerfile: string): readonly string[] =>
  [...dockerfile.matchAll(/^\s*FROM\s+(?:--\S+\s+)*(\S+)/gim)].map(([, reference = '']) => reference);
