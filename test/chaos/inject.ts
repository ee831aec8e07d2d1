import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from '../support/wait-for.js';
import type { PlannedFault } from './plan.js';
import type { Stage } from './stage.js';

/** Faults of one part follow each other; those of different parts may be at work together. */
export const partOf = (fault: PlannedFault): string => {
  switch (fault.kind) {
    case 'kill':
    case 'deploy':
      return `worker-${fault.worker}`;
    case 'container':
      return `${fault.run} ${fault.step}`;
    case 'memory':
      return fault.run;
    case 'temporal':
    case 'engine':
    case 'store':
    case 'disk':
      return fault.kind;
  }
};

/**
 * Does what was planned, and resolves when the part is back.
 * @returns whether it happened: a step may be over before its container could be killed
 */
export async function inject(fault: PlannedFault, stage: Stage): Promise<boolean> {
  switch (fault.kind) {
    case 'kill':
      await workerAway(fault, stage);
      return true;
    case 'deploy':
      await stage.workers[fault.worker]?.deploy();
      return true;
    case 'temporal':
      await stage.restartTemporal(fault.signal, () => pause(fault.downMs));
      return true;
    case 'engine':
      await engineAway(fault, stage);
      return true;
    case 'store':
      await stage.store.vanish();
      await pause(fault.downMs);
      await stage.store.comeBack();
      return true;
    case 'container':
      return killContainer(fault, stage);
    case 'memory':
      // The run's input has it.
      return true;
    case 'disk':
      await stage.disk?.fill();
      await pause(fault.fullMs);
      await stage.disk?.free();
      return true;
  }
}

async function workerAway(
  { worker, downMs }: Extract<PlannedFault, { kind: 'kill' }>,
  { workers, hosts, absences }: Stage,
): Promise<void> {
  const from = Date.now();
  await workers[worker]?.kill(downMs);
  absences.push({ host: hosts[worker]?.installation ?? '', from, until: Date.now() });
}

async function engineAway(
  { signal, downMs, next }: Extract<PlannedFault, { kind: 'engine' }>,
  { engine, outages }: Stage,
): Promise<void> {
  const from = Date.now();
  await engine?.stop(signal);
  await pause(downMs);
  await engine?.start({ liveRestore: next });
  outages.push({ from, until: Date.now() });
}

const showsUpWithinMs = 60_000;

async function killContainer(
  { run, step, afterMs }: Extract<PlannedFault, { kind: 'container' }>,
  { containers }: Stage,
): Promise<boolean> {
  const seen = await waitFor(() => containers.running(run, step)[0], {
    what: 'the container',
    timeoutMs: showsUpWithinMs,
    intervalMs: 100,
  }).catch(() => undefined);
  if (seen === undefined) return false;
  await pause(afterMs);
  try {
    await containers.docker.getContainer(seen).kill({ abortSignal: AbortSignal.timeout(10_000) });
    return true;
  } catch {
    // It has ended, or the engine is away.
    return false;
  }
}
