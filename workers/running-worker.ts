import type { Worker } from '@temporalio/worker';

/** A Temporal worker that runs. */
export type RunningWorker = {
  /** Takes no more tasks; those it has go on for the grace time. Idempotent. */
  readonly drain: () => void;
  /** Settles when it has ended; rejects when it broke. */
  readonly ended: Promise<void>;
};

export function runWorker(worker: Worker): RunningWorker {
  const ended = worker.run();
  ended.catch(() => undefined);
  return {
    drain: () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    },
    ended,
  };
}
