import { setTimeout as pause } from 'node:timers/promises';
import type Docker from 'dockerode';
import { AttemptLost } from '../../sdk/errors.js';
import { exitCodes } from '../../sdk/step-contract.js';
import { statusOf } from './docker-errors.js';
import { engineDial, takesCalls } from './engine-dial.js';
import type { EnginePatience } from './engine-call.js';

export type ContainerExit = {
  readonly exitCode: number;
  /** When the engine last fell silent before the end, ms; undefined where it never did. */
  readonly silentSince: number | undefined;
};

export type ExitOptions = {
  readonly patience: EnginePatience;
  readonly signal: AbortSignal;
};

/**
 * Waits for the program's end, through restarts of the engine.
 * @throws AttemptLost when the container is gone; the engine's error when it stays away for longer than `answerMs`
 */
export async function exitOfContainer(
  container: Docker.Container,
  { patience, signal }: ExitOptions,
): Promise<ContainerExit> {
  let silentSince: number | undefined;
  let away: number | undefined;
  for (;;) {
    try {
      const exitCode = await askForExit(container, {
        signal,
        onAnswer: () => (away = undefined),
      });
      // An engine that stops takes no more calls, ends its containers, and still tells those who wait.
      if (bySignal.has(exitCode) && !(await takesCalls(container.modem))) silentSince = Date.now();
      return { exitCode, silentSince };
    } catch (error) {
      signal.throwIfAborted();
      if (statusOf(error) === 404) throw gone(error);
      away ??= Date.now();
      silentSince = away;
      if (Date.now() - away > patience.answerMs) throw error;
      await pause(Math.min(againMs, patience.answerMs), undefined, { signal });
    }
  }
}

const againMs = 500;

/** Exit codes after SIGKILL and SIGTERM. */
export const bySignal: ReadonlySet<number> = new Set([137, exitCodes.stopped]);

export const gone = (cause: unknown): AttemptLost =>
  new AttemptLost('The container was removed while its program ran, and nobody saw how it ended.', {
    hint: 'Another attempt follows by itself; leave containers with the label `millrace.run` to Millrace.',
    cause,
  });

/** Not by dockerode's `wait`, which never settles when the engine breaks the connection off after its first byte. */
async function askForExit(
  container: Docker.Container,
  { signal, onAnswer }: { readonly signal: AbortSignal; readonly onAnswer: () => void },
): Promise<number> {
  const answer = await engineDial<AsyncIterable<Buffer>>(container.modem, {
    path: `/containers/${container.id}/wait?`,
    method: 'POST',
    isStream: true,
    abortSignal: signal,
  });
  onAnswer();
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  const { StatusCode } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { StatusCode?: unknown };
  if (typeof StatusCode !== 'number') throw new TypeError('The engine told no exit code.');
  return StatusCode;
}
