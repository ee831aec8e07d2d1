import { setTimeout as pause } from 'node:timers/promises';
import type Docker from 'dockerode';
import { InfrastructureFailed } from '../../sdk/errors.js';
import { connectDocker, dockerHost } from './docker-connection.js';
import { engineError } from './docker-errors.js';
import type { EnginePatience } from './engine-call.js';
import { engineCall, enginePatience } from './engine-call.js';
import type { ExecutionIdentity, Executor } from './executor.js';
import type { BeforeRemoval, Leftover } from './leftovers.js';
import { leftContainers, leftProcesses } from './leftovers.js';

export type EarlierAttempts = Pick<ExecutionIdentity, 'installation' | 'run' | 'step' | 'attempt'> & {
  readonly executor: Executor['kind'];
  readonly signal: AbortSignal;
  readonly beforeRemoval?: BeforeRemoval;
  /** Default: the engine that the `docker` command would use. */
  readonly docker?: Docker;
  /** How long the engine may take to answer. */
  readonly patience?: EnginePatience;
  /** How long they may take to end, ms. Default 30 s. */
  readonly withinMs?: number;
};

/**
 * Ends what earlier attempts of a step left running on this host, before the next one begins: two at once would overcommit the
 * host and write one checkpoint together.
 * @throws DockerUnavailable, InfrastructureFailed when nobody can say that they have ended
 */
export async function endEarlierAttempts(options: EarlierAttempts): Promise<void> {
  const { run, step, attempt, signal, withinMs = 30_000 } = options;
  const from = performance.now();
  let cause: unknown;
  for (let look = 1; ; look += 1) {
    const found = (await leftOf(options)).filter(
      ({ owner }) => owner.run === run && owner.step === step && owner.attempt < attempt,
    );
    // One that runs no more is in nobody's way: where it cannot be removed the sweep does it later.
    const left = look === 1 ? found : found.filter(({ isOver = false }) => !isOver);
    if (left.length === 0) return;
    if (performance.now() - from > withinMs)
      throw new InfrastructureFailed(
        `An earlier attempt still runs on this host and cannot be ended: ${left.map(({ what }) => what).join(', ')}.`,
        { run, step, attempt, cause, hint: 'It is tried again by itself; end it by hand where that does not help.' },
      ); // prettier-ignore
    for (const { remove } of left) await remove().catch((error: unknown) => (cause = error));
    // Told to end is not yet gone: a process may still write, and the engine may have said no.
    if (look > 1) await pause(againMs, undefined, { signal });
  }
}

const againMs = 100;

/** Of a step that runs as a process there are no containers, nor need there be an engine. */
async function leftOf(options: EarlierAttempts): Promise<readonly Leftover[]> {
  const { installation, executor } = options;
  const containers = executor === 'docker' ? await containersOf(options) : [];
  return [...containers, ...(await leftProcesses(installation))];
}

async function containersOf({
  installation,
  signal,
  beforeRemoval,
  docker = connectDocker(),
  patience = enginePatience,
}: EarlierAttempts): Promise<readonly Leftover[]> {
  const { removeMs } = patience;
  try {
    return await engineCall(
      (abortSignal) => leftContainers({ docker, installation, beforeRemoval, removeMs, abortSignal }),
      { ...patience, what: 'list the containers of earlier attempts', signal },
    );
  } catch (error) {
    signal.throwIfAborted();
    const what = 'Docker could not list the containers of earlier attempts';
    throw engineError(error, { what, host: dockerHost() });
  }
}
