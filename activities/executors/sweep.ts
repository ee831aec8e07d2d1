import type Docker from 'dockerode';
import type { Logger } from 'pino';
import { connectDocker } from './docker-connection.js';
import { statusOf } from './docker-errors.js';
import { enginePatience } from './engine-call.js';
import type { BeforeRemoval, Leftover } from './leftovers.js';
import { leftContainers, leftFolders, leftProcesses } from './leftovers.js';

export type SweepOptions = {
  /** Nothing of another installation is touched. */
  readonly installation: string;
  /** Whether that attempt is the step's current one, of a run that is open. */
  readonly isLive: (run: string, step: string, attempt: number) => Promise<boolean>;
  readonly logger?: Pick<Logger, 'info' | 'warn'>;
  /** Default: the engine that the `docker` command would use. */
  readonly docker?: Docker;
  readonly beforeRemoval?: BeforeRemoval;
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
  beforeRemoval,
  removeMs = enginePatience.removeMs,
}: SweepOptions): Promise<void> {
  const known = new Map<string, Promise<boolean>>();
  const live = ({ run, step, attempt }: Leftover['owner']): Promise<boolean> => {
    const key = JSON.stringify([run, step, attempt]);
    const answer = known.get(key) ?? isLive(run, step, attempt);
    known.set(key, answer);
    return answer;
  };
  const abortSignal = AbortSignal.timeout(10_000);
  const containers = leftContainers({ docker, installation, beforeRemoval, removeMs, abortSignal });
  const left = [
    ...(await containers.catch(() => [])),
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
