import type Docker from 'dockerode';
import type { EnginePatience } from './engine-call.js';
import { engineCall } from './engine-call.js';

/** What an image says of itself that running a step in it depends on. */
export type ImageFacts = {
  readonly id: string;
  /** Paths it declares as volumes: writable beside a read-only root unless something is mounted there. */
  readonly volumes: readonly string[];
  /** Its own PYTHONPATH. */
  readonly modulePath: string | undefined;
  /** `name==version` of the packages a derived image was given. */
  readonly packages: readonly string[] | undefined;
};

/** Label of derived images: their packages, as JSON. */
export const packagesLabel = 'millrace.packages';

/** Looks at each image once: an id never means another image. */
export function createImageFacts(
  docker: Docker,
  patience: EnginePatience,
): (id: string, signal: AbortSignal) => Promise<ImageFacts> {
  const known = new Map<string, ImageFacts>();
  return async (id, signal) => {
    const call = { ...patience, what: 'look at the image', signal };
    const found = known.get(id) ?? (await engineCall(() => inspect(docker, id), call));
    known.set(id, found);
    return found;
  };
}

async function inspect(docker: Docker, id: string): Promise<ImageFacts> {
  const { Config } = await docker.getImage(id).inspect();
  // An image made by `docker import` has none of these.
  const config: Partial<typeof Config> = Config ?? {};
  const packages = config.Labels?.[packagesLabel];
  return {
    id,
    volumes: Object.keys(config.Volumes ?? {}),
    modulePath: config.Env?.find((entry) => entry.startsWith('PYTHONPATH='))?.slice('PYTHONPATH='.length),
    packages: packages === undefined ? undefined : (JSON.parse(packages) as string[]),
  };
}
