import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Logger } from 'pino';
import type { ExecutionIdentity } from './executor.js';
import { labelNames } from './container-options.js';
import { connectDocker } from './docker-connection.js';
import { statusOf } from './docker-errors.js';
import { enginePatience } from './engine-call.js';
import { ownedFolders } from './owned-folder.js';
import { kill, stepProcesses } from './process-leftovers.js';
import { secretsPrefix, secretsRoot } from './secret-files.js';
import { temporaryPrefix } from './temporary-folder.js';

export type SweepOptions = {
  /** Nothing of another installation is touched. */
  readonly installation: string;
  /** Whether that attempt is the step's current one, of a run that is open. */
  readonly isLive: (run: string, step: string, attempt: number) => Promise<boolean>;
  readonly logger?: Pick<Logger, 'info' | 'warn'>;
  /** Default: the engine that the `docker` command would use. */
  readonly docker?: Docker;
  /** Once aborted nothing more is removed. */
  readonly signal?: AbortSignal;
  /** How long the engine may take to remove one container, ms. Default 15 s. */
  readonly removeMs?: number;
};

/** Removes containers, processes, files of secrets and temporary files that workers left behind. An engine that does not answer is left alone. */
export async function sweep({
  installation,
  isLive,
  logger,
  docker = connectDocker(),
  signal,
  removeMs = enginePatience.removeMs,
}: SweepOptions): Promise<void> {
  const known = new Map<string, Promise<boolean>>();
  const live = ({ run, step, attempt }: Owner): Promise<boolean> => {
    const key = JSON.stringify([run, step, attempt]);
    const answer = known.get(key) ?? isLive(run, step, attempt);
    known.set(key, answer);
    return answer;
  };
  const left = [
    ...(await leftContainers(docker, installation, removeMs)),
    ...(await leftProcesses(installation)),
    ...(await leftFolders(installation)),
  ];
  for (const { owner, what, remove } of left) {
    if (signal?.aborted) return;
    if (await live(owner)) continue;
    try {
      await remove();
      logger?.info({ ...owner, what }, 'removed a leftover');
    } catch (error) {
      // Being removed by another already.
      if (statusOf(error) === 404 || statusOf(error) === 409) continue;
      logger?.warn({ ...owner, what, err: error }, 'could not remove a leftover');
    }
  }
}

/**
 * Ends what earlier attempts of a step left running on this host, before the next one begins: two at once would overcommit the
 * host and write one checkpoint together.
 */
export async function endEarlierAttempts(
  { installation, run, step, attempt }: Pick<ExecutionIdentity, 'installation' | 'run' | 'step' | 'attempt'>,
  docker: Docker = connectDocker(),
): Promise<void> {
  const left = [...(await leftContainers(docker, installation)), ...(await leftProcesses(installation))];
  const earlier = left.filter(
    ({ owner }) => owner.run === run && owner.step === step && owner.attempt < attempt,
  );
  for (const { remove } of earlier) await Promise.resolve(remove()).catch(() => undefined);
  // Killed is not yet gone: a process may still write.
  for (
    let look = 0;
    look < 50 &&
    (await leftProcesses(installation)).some(
      ({ owner }) => owner.run === run && owner.step === step && owner.attempt < attempt,
    );
    look += 1
  )
    await pause(100);
}

type Owner = { readonly run: string; readonly step: string; readonly attempt: number };
type Leftover = { readonly owner: Owner; readonly what: string; readonly remove: () => Promise<unknown> };

async function leftContainers(
  docker: Docker,
  installation: string,
  removeMs = enginePatience.removeMs,
): Promise<readonly Leftover[]> {
  const filters = { label: [`${labelNames.installation}=${installation}`] };
  const found = await docker
    .listContainers({ all: true, filters, abortSignal: AbortSignal.timeout(10_000) })
    .catch(() => []);
  return found.map(({ Id, Labels }) => ({
    owner: {
      run: Labels[labelNames.run] ?? '',
      step: Labels[labelNames.step] ?? '',
      attempt: Number(Labels[labelNames.attempt]),
    },
    what: `container ${Id.slice(0, 12)}`,
    // One that the engine cannot get rid of must not hold up all others.
    remove: () =>
      docker.getContainer(Id).remove({ force: true, v: true, abortSignal: AbortSignal.timeout(removeMs) }),
  }));
}

async function leftProcesses(installation: string): Promise<readonly Leftover[]> {
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
async function leftFolders(installation: string): Promise<readonly Leftover[]> {
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
