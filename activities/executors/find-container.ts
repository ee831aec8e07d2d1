import { setTimeout as pause } from 'node:timers/promises';
import type Docker from 'dockerode';
import { containerName } from './container-name.js';
import { engineError, statusOf } from './docker-errors.js';
import type { EnginePatience } from './engine-call.js';
import { engineCall } from './engine-call.js';
import type { ExecutionIdentity } from './executor.js';

export type FoundContainer = {
  readonly container: Docker.Container;
  readonly state: Docker.ContainerInspectInfo['State'];
  /** Whether it was started, and not only created. */
  readonly begun: boolean;
  /** ISO 8601 with nine digits of a second, as in its log. Its first output may be older than its start, as the engine tells it. */
  readonly createdAt: string;
};

export type FindOptions = {
  readonly host: string;
  readonly patience: EnginePatience;
  readonly signal: AbortSignal;
};

/**
 * The container of this attempt. An engine that is being restarted is waited for.
 * @throws DockerUnavailable when it does not come back, InfrastructureFailed
 */
export async function findContainer(
  docker: Docker,
  identity: ExecutionIdentity,
  { host, patience, signal }: FindOptions,
): Promise<FoundContainer | undefined> {
  const container = docker.getContainer(containerName(identity));
  const from = Date.now();
  for (;;) {
    try {
      const what = 'look for the container';
      const { State, Created } = await engineCall((abortSignal) => container.inspect({ abortSignal }), {
        ...patience,
        what,
        signal,
      });
      return { container, state: State, begun: begun.has(State.Status), createdAt: nineDigits(Created) };
    } catch (error) {
      signal.throwIfAborted();
      if (statusOf(error) === 404) return undefined;
      if (Date.now() - from > patience.answerMs)
        throw engineError(error, { what: 'Docker could not look for the container', host });
      await pause(Math.min(againMs, patience.answerMs), undefined, { signal });
    }
  }
}

const againMs = 500;
const begun: ReadonlySet<string> = new Set(['running', 'paused', 'restarting', 'exited']);

/** A time of the engine's, as long as those in its log. */
export const nineDigits = (time: string): string =>
  time.replace(/(?:\.(\d+))?Z$/, (_, digits = '') => `.${String(digits).padEnd(9, '0')}Z`);
