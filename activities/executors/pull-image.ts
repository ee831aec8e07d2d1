import type Docker from 'dockerode';
import { ImageNotFound } from '../../sdk/errors.js';
import { reasonOf, statusOf } from './docker-errors.js';
import type { EngineMessage } from './engine-progress.js';
import { engineMessages } from './engine-progress.js';
import type { WorkOptions } from './executor.js';
import { registryCredentials, registryOf } from './registry-credentials.js';

/**
 * Pulls an image with the user's Docker credentials.
 * @throws ImageNotFound with the registry's words when it cannot be had
 */
export async function pullImage(
  docker: Docker,
  reference: string,
  { signal, onDetail, env }: WorkOptions & { readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  const registry = registryOf(reference);
  const authconfig = await registryCredentials(registry, { env, signal });
  onDetail?.(`pulling ${reference}`);
  try {
    const stream = await docker.pull(withTag(reference), {
      ...(authconfig && { authconfig }),
      abortSignal: signal,
    });
    const progress = createPullProgress();
    for await (const message of engineMessages(stream, signal)) {
      if (message.error) throw new Error(message.error);
      const percent = progress(message);
      if (percent !== undefined) onDetail?.(`pulling ${reference}: ${percent} %`);
    }
  } catch (error) {
    signal.throwIfAborted();
    // No answer at all: the engine is away, which is another matter.
    if (statusOf(error) === undefined && (error as NodeJS.ErrnoException).code) throw error;
    throw new ImageNotFound(
      `Image \`${reference}\` is not on this machine and could not be pulled: ${reasonOf(error)}.`,
      {
        hint: hintFor(registry, authconfig !== undefined),
        fields: { image: reference, unreachable: unreachable.test(reasonOf(error)) },
        cause: error,
      },
    );
  }
}

/** Words of an engine that got no answer from the registry, unlike one that was told no. */
const unreachable =
  /no such host|dial tcp|i\/o timeout|connection refused|Temporary failure|network is unreachable|context deadline|Client\.Timeout/i;

/** Without a tag the engine would pull every one there is. */
const withTag = (reference: string): string =>
  /(@|:[^/]*$)/.test(reference) ? reference : `${reference}:latest`;

const hintFor = (registry: string, signedIn: boolean): string =>
  `Check its name${signedIn ? '' : `, sign in with \`docker login${registry === 'docker.io' ? '' : ` ${registry}`}\` if it is private`}, or build it here under that name.`;

/** Percent over all layers, each value once. */
function createPullProgress(): (message: EngineMessage) => number | undefined {
  const layers = new Map<string, { current: number; total: number }>();
  let last = -1;
  return ({ id, status, progressDetail }) => {
    if (!id) return undefined;
    const layer = layers.get(id);
    if (status === 'Downloading' && progressDetail?.total) {
      layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
    } else if (layer && /complete|Extracting/.test(status ?? '')) layer.current = layer.total;
    let current = 0;
    let total = 0;
    for (const known of layers.values()) {
      current += known.current;
      total += known.total;
    }
    const percent = total === 0 ? -1 : Math.floor((100 * current) / total);
    if (percent <= last) return undefined;
    last = percent;
    return percent;
  };
}
