import type { SignalDefinition } from '@temporalio/workflow';
import { CancellationScope, getExternalWorkflowHandle, sleep } from '@temporalio/workflow';

/** The child runs of a run that have not ended. */
export interface OpenChildren {
  /** Counts the child as open until it has ended. @param run its id */
  during<T>(run: string, child: Promise<T>): Promise<T>;
  /** Sends a signal to each, also when this run is being cancelled. Resolves when all that are still open have it. */
  tell<T>(signal: SignalDefinition<[T]>, argument: T): Promise<void>;
}

export function openChildren(): OpenChildren {
  const open = new Set<string>();

  async function tellOne<T>(run: string, signal: SignalDefinition<[T]>, argument: T): Promise<void> {
    for (let attempt = 1; open.has(run); attempt += 1) {
      try {
        return await getExternalWorkflowHandle(run).signal(signal, argument);
      } catch {
        // It has ended, or is only about to begin.
        if (attempt === startAttempts) return;
        await sleep(1_000);
      }
    }
  }

  return {
    async during(run, child) {
      open.add(run);
      try {
        return await child;
      } finally {
        open.delete(run);
      }
    },
    async tell(signal, argument) {
      if (open.size === 0) return;
      await CancellationScope.nonCancellable(() =>
        Promise.all([...open].map((run) => tellOne(run, signal, argument))),
      );
    },
  };
}

const startAttempts = 5;
