import type Docker from 'dockerode';
import { AttemptLost } from '../../sdk/errors.js';
import { statusOf } from './docker-errors.js';
import { hasLiveRestore } from './engine-dial.js';
import type { EnginePatience } from './engine-call.js';
import { engineCall } from './engine-call.js';
import type { StopReason } from './execution-limits.js';
import type { ExecutionEnd } from './executor.js';
import type { ContainerExit } from './exit-of-container.js';
import { bySignal, gone } from './exit-of-container.js';
import { bootedAt } from './up-since.js';

export type EndedProgram = {
  readonly container: Docker.Container;
  readonly exit: ContainerExit;
  /** Why Millrace stopped it, where it did. */
  readonly reason: StopReason | undefined;
  readonly patience: EnginePatience;
};

/**
 * Why a program has ended.
 * @throws AttemptLost when it went down with the engine or the host
 */
export async function endOfProgram({
  container,
  exit,
  reason,
  patience,
}: EndedProgram): Promise<ExecutionEnd['reason']> {
  if (exit.exitCode === 0) return reason ?? 'exited';
  // Asked also of a program that ended because it was cancelled.
  const { State } = await engineCall((abortSignal) => container.inspect({ abortSignal }), {
    ...patience,
    what: 'tell how the container ended',
    signal: new AbortController().signal,
  }).catch((error: unknown) => {
    throw statusOf(error) === 404 ? gone(error) : error;
  });
  if (reason !== undefined) return reason;
  const meanwhile =
    exit.silentSince !== undefined && Date.parse(State.FinishedAt) > exit.silentSince - beforeSilenceMs;
  if (meanwhile && !(await hasLiveRestore(container.modem)))
    throw new AttemptLost('The container ended with the Docker engine.', { hint: engineHint });
  return reasonOfEnd(State);
}

type State = Docker.ContainerInspectInfo['State'];

/**
 * Why a program has ended that nobody watched.
 * @param since when its host or engine was started, ms; whoever failed before that may have been told to end, by its own exit code too
 * @throws AttemptLost when it may have gone down with its host or engine
 */
export function endOfUnwatched(
  state: State,
  timeoutMs: number,
  since: number = bootedAt(),
): ExecutionEnd['reason'] {
  const endedAt = Date.parse(state.FinishedAt);
  const startedAt = Date.parse(state.StartedAt);
  // The worker died while it stopped the program for its time.
  if (bySignal.has(state.ExitCode) && endedAt - startedAt >= timeoutMs) return 'timeout';
  const reason = reasonOfEnd(state);
  // When it has ended the engine may have noted only at its next start.
  const before = endedAt < since || state.ExitCode === unknownExit;
  if (reason === 'exited' && state.ExitCode !== 0 && before && startedAt < since)
    throw new AttemptLost('The container ended with its host or its Docker engine, started again since.', {
      hint: 'Another attempt follows by itself.',
    });
  return reason;
}

const reasonOfEnd = ({ OOMKilled, ExitCode }: State): ExecutionEnd['reason'] =>
  OOMKilled && ExitCode !== 0 ? 'out-of-memory' : bySignal.has(ExitCode) ? 'stopped-outside' : 'exited';

/** The engine's own, for a container that was gone when it started again. */
const unknownExit = 255;

/** An engine that is stopped answers no more, then ends its containers; a clock's difference is allowed for. */
const beforeSilenceMs = 5_000;

const engineHint =
  'Another attempt follows by itself. With `"live-restore": true` in the engine\'s daemon.json containers outlive its restarts.';
