import { CancellationScope, defineSignal, getExternalWorkflowHandle, setHandler } from '@temporalio/workflow';
import type { RunRequest } from '../sdk/protocol/messages.js';
import { signals } from '../sdk/protocol/names.js';

/** Whether a step of a run or of a run below it was left out: what is made after that is not what the pipeline makes. */
export interface LeftOut {
  readonly any: boolean;
  /** Says that one was; done when the parent knows it. */
  mark(): Promise<void>;
  /** Waits until the parent knows what there is to know. */
  told(): Promise<void>;
}

/**
 * The parent is told by a signal before the run goes on: it stands in the parent's history before the run's end does, however it
 * ends, and a run in which nothing is left out pays nothing for it.
 */
export function openLeftOut({ parent }: Pick<RunRequest, 'parent'>): LeftOut {
  const leftOut = defineSignal(signals.leftOut);
  let telling: Promise<void> | undefined;
  const tell = async () => {
    if (!parent) return;
    await CancellationScope.nonCancellable(() =>
      // A parent that has ended makes nothing more.
      getExternalWorkflowHandle(parent.run)
        .signal(leftOut)
        .catch(() => undefined),
    );
  };
  const mark = () => (telling ??= tell());
  setHandler(leftOut, mark);
  return {
    get any() {
      return telling !== undefined;
    },
    mark,
    told: async () => telling,
  };
}
