import path from 'node:path';
import type Docker from 'dockerode';
import { labelNames } from './container-options.js';
import type { ExecutionIdentity } from './executor.js';
import { ownedFolders } from './owned-folder.js';
import { kill, stepProcesses } from './process-leftovers.js';
import { secretsPrefix, secretsRoot } from './secret-files.js';
import { temporaryPrefix } from './temporary-folder.js';

/** What an attempt left on this host. */
export type Leftover = {
  readonly owner: Pick<ExecutionIdentity, 'run' | 'step' | 'attempt'>;
  readonly what: string;
  /** It runs no more. */
  readonly isOver?: boolean;
  readonly remove: () => Promise<unknown>;
};

/** Called before a container is removed: what it holds is had then, or never. Never throws. */
export type BeforeRemoval = (container: Docker.Container, owner: ExecutionIdentity) => Promise<void>;

export type LeftContainersOptions = {
  readonly docker: Docker;
  readonly installation: string;
  readonly beforeRemoval: BeforeRemoval | undefined;
  /** How long the engine may take to remove one, ms. */
  readonly removeMs: number;
  readonly abortSignal: AbortSignal;
};

/** Containers of an installation's steps, whatever worker started them. @throws the engine's error */
export async function leftContainers({
  docker,
  installation,
  beforeRemoval,
  removeMs,
  abortSignal,
}: LeftContainersOptions): Promise<readonly Leftover[]> {
  const filters = { label: [`${labelNames.installation}=${installation}`] };
  const found = await docker.listContainers({ all: true, filters, abortSignal });
  return found.map(({ Id, Labels, State }) => {
    const owner = {
      run: Labels[labelNames.run] ?? '',
      step: Labels[labelNames.step] ?? '',
      attempt: Number(Labels[labelNames.attempt]),
    };
    return {
      owner,
      what: `container ${Id.slice(0, 12)}`,
      isOver: over.has(State),
      async remove() {
        const container = docker.getContainer(Id);
        await beforeRemoval?.(container, { installation, ...owner, key: Labels[labelNames.key] ?? '' });
        // One that the engine cannot get rid of must not hold up all others.
        await container.remove({ force: true, v: true, abortSignal: AbortSignal.timeout(removeMs) });
      },
    };
  });
}

/** Not one that was only created: it may be started still. */
const over: ReadonlySet<string> = new Set(['exited', 'dead', 'removing']);

/** Processes of an installation's steps, whatever worker started them. */
export async function leftProcesses(installation: string): Promise<readonly Leftover[]> {
  return (await stepProcesses(installation)).map(({ pid, ...owner }) => ({
    owner,
    what: `process ${pid}`,
    remove: () => {
      kill(pid);
      return Promise.resolve();
    },
  }));
}

/** Files of secrets, and the temporary folders of processes. */
export async function leftFolders(installation: string): Promise<readonly Leftover[]> {
  const prefixes = {
    'files of secrets': path.join(secretsRoot(), secretsPrefix(installation)),
    'temporary files': temporaryPrefix(),
  };
  const found = Object.entries(prefixes).map(async ([what, prefix]) =>
    (await ownedFolders(prefix, installation)).map(({ run, step, attempt, remove }) => ({
      owner: { run, step, attempt },
      what,
      remove,
    })),
  );
  return (await Promise.all(found)).flat();
}
