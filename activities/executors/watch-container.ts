import path from 'node:path';
import type Docker from 'dockerode';
import { contract } from '../../sdk/step-contract.js';
import { endOfProgram } from './container-end.js';
import type { ContainerUsage } from './container-usage.js';
import { sampleUsage } from './container-usage.js';
import { diskUsage } from './disk-usage.js';
import type { EnginePatience } from './engine-call.js';
import type { ExecutionLimits, LimitsOptions } from './execution-limits.js';
import { watchLimits } from './execution-limits.js';
import type { Execution, ExecutionEnd } from './executor.js';
import { noEnd } from './executor.js';
import { exitOfContainer } from './exit-of-container.js';
import { followOutput } from './follow-output.js';
import type { OutputLog } from './output-log.js';

export type Grace = Pick<LimitsOptions, 'unansweredMs'>;

export type WatchedContainer = {
  readonly container: Docker.Container;
  readonly execution: Execution;
  readonly log: OutputLog;
  /** Stops the program. */
  readonly signal: AbortSignal;
  /** Ends the watch. */
  readonly leave: AbortSignal;
  readonly patience: EnginePatience;
  readonly grace: Grace;
  /** How long the program has run already, ms. */
  readonly ranMs: number;
};

/** Follows a container's program to its end: takes its output, holds it to its limits, finds out how it ended. */
export async function watchContainer(watched: WatchedContainer): Promise<ExecutionEnd> {
  const { container, leave, patience, ranMs } = watched;
  const from = performance.now() - ranMs;
  const stop = new AbortController();
  const usage = sampleUsage(container);
  const limits = limitsOf(watched);
  let ranToMs: number | undefined;
  const exited = exitOfContainer(container, { patience, signal: stop.signal }).finally(
    () => (ranToMs = performance.now()),
  );
  // Aborted below, where nobody waits any more.
  exited.catch(() => undefined);
  const output = followOutput(watched, { ended: exited, signal: stop.signal });
  output.catch(() => undefined);
  try {
    // Rejects where the log cannot be written: nothing would be known of a program that goes on.
    const read = output.then(() => exited);
    const exit = await Promise.race([read, limits.unanswered, leftBy(leave, limits, stop.signal)]);
    const durationMs = Math.round((ranToMs ?? performance.now()) - from);
    if (exit === 'left') return { ...noEnd('left'), durationMs };
    if (!exit) return { ...noEnd(limits.reason() ?? 'cancelled'), durationMs };
    await limits.close();
    const reason = await endOfProgram({ ...watched, exit, reason: limits.reason() });
    return { ...noEnd(reason), exitCode: exit.exitCode, durationMs, ...used(usage, reason, watched) };
  } finally {
    stop.abort();
    usage.stop();
    await limits.close();
    // Afterwards nothing more is written to the log: another may follow it.
    await output.catch(() => undefined);
  }
}

/** Resolves when the watch shall end; not for a program that is being stopped, whose end must be known for what it is. */
function leftBy(leave: AbortSignal, limits: ExecutionLimits, over: AbortSignal): Promise<'left'> {
  return new Promise((resolve) => {
    const onLeave = () => {
      if (limits.reason() === undefined) resolve('left');
    };
    if (leave.aborted) onLeave();
    else leave.addEventListener('abort', onLeave, { once: true, signal: over });
  });
}

function limitsOf({ container, execution, log, signal, patience, grace, ranMs }: WatchedContainer) {
  const { spec } = execution;
  return watchLimits({
    timeoutMs: Math.max(0, spec.timeoutMs - ranMs),
    disk: spec.resources.disk,
    usage: () => usedDisk(execution, log),
    send: async (name) => {
      // It may have ended by itself.
      await container
        .kill({ signal: name, abortSignal: AbortSignal.timeout(patience.removeMs) })
        .catch(() => undefined);
    },
    signal,
    graceMs: spec.stopGraceMs,
    ...grace,
  });
}

/** The root is read-only and /tmp lies in memory: the folder is all that is written to disk, beside the log. */
export async function usedDisk({ folder }: Execution, log: OutputLog): Promise<number> {
  const given = new Set([contract.inputs, contract.secrets].map((name) => path.join(folder, name)));
  return log.size() + (await diskUsage(folder, given));
}

function used(
  usage: ContainerUsage,
  reason: ExecutionEnd['reason'],
  { execution }: WatchedContainer,
): Pick<ExecutionEnd, 'cpuSeconds' | 'peakMemoryBytes'> {
  const sampled = usage.peakMemoryBytes();
  const peakMemoryBytes =
    reason === 'out-of-memory' ? Math.max(sampled ?? 0, execution.spec.resources.memory) : sampled;
  return { cpuSeconds: usage.cpuSeconds(), peakMemoryBytes };
}
