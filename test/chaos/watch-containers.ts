import type Docker from 'dockerode';
import { labelNames } from '../../activities/executors/container-options.js';
import { connectDocker } from '../../activities/executors/docker-connection.js';
import type { ContainerFacts } from './world.js';

/** Looks at the containers of some installations all the time; what it cannot see while the engine is away it misses. */
export type ContainerWatch = Disposable & {
  readonly seen: () => readonly ContainerFacts[];
  /** Containers of a step that run now. */
  readonly running: (run: string, step: string) => readonly string[];
  readonly docker: Docker;
};

const everyMs = 300;

export function watchContainers(engine: string | undefined, hosts: readonly string[]): ContainerWatch {
  const docker = connectDocker({ ...process.env, ...(engine && { DOCKER_HOST: engine }) });
  const seen = new Map<string, ContainerFacts>();
  let now: ReadonlySet<string> = new Set();
  let looking = false;
  const look = async (): Promise<void> => {
    const filters = { label: [labelNames.installation], status: ['running'] };
    const all = await docker.listContainers({ filters, abortSignal: AbortSignal.timeout(5_000) });
    const found = all.filter(({ Labels }) => hosts.includes(Labels[labelNames.installation] ?? ''));
    const at = Date.now();
    now = new Set(found.map(({ Id }) => Id));
    for (const { Id: id, Labels } of found) {
      seen.set(id, {
        id,
        host: Labels[labelNames.installation] ?? '',
        run: Labels[labelNames.run] ?? '',
        step: Labels[labelNames.step] ?? '',
        attempt: Number(Labels[labelNames.attempt]),
        from: seen.get(id)?.from ?? at,
        until: at,
      });
    }
  };
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look()
      .catch(() => (now = new Set()))
      .finally(() => (looking = false));
  }, everyMs);
  return {
    docker,
    seen: () => [...seen.values()],
    running: (run, step) =>
      [...seen.values()].filter((each) => now.has(each.id) && each.run === run && each.step === step).map(({ id }) => id), // prettier-ignore
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
