import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { PauseRefused } from '../sdk/errors.js';
import type { ParentPaused, Paused, PauseRequest, RunRequest } from '../sdk/protocol/messages.js';
import { signals, updates } from '../sdk/protocol/names.js';
import { failureInfo, workflowFailure } from './failures.js';
import type { OpenChildren } from './open-children.js';
import type { RunCancellation } from './run-cancellation.js';
import type { RunNotes } from './run-notes.js';
import type { RunEvent } from './run-reducer.js';

const parentPaused = defineSignal<[ParentPaused]>(signals.parentPaused);

export type PauseOptions = {
  readonly request: RunRequest;
  readonly children: OpenChildren;
  readonly cancellation: Pick<RunCancellation, 'requested'>;
  readonly notes: RunNotes;
  readonly record: (event: RunEvent) => void;
};

/** A run that is paused begins nothing: no call, no attempt. What runs goes on to its end, and so do clocks. */
export interface RunPause {
  readonly isHeld: () => boolean;
  /** Waits while the run is paused; undefined where it is not. */
  hold(): Promise<void> | undefined;
  /** The run is being cancelled: that ends a pause. */
  lift(): void;
}

/** The updates that pause a run and have it go on; its child runs follow by signals. */
export function runPause({ request, children, cancellation, notes, record }: PauseOptions): RunPause {
  const { run, parent } = request;
  let own: Paused | undefined;
  let byParent: Paused | undefined;
  /** What holds calls back now. */
  let held: Paused | undefined;
  const asked = () => own ?? byParent;
  const apply = () => {
    held = asked();
    record({ type: 'paused', paused: held });
  };

  /** Workers ask the run's row: nothing begins before it is free again. */
  async function change(cause: PauseRequest): Promise<void> {
    const paused = asked();
    if (paused) apply();
    await notes.write({ kind: paused ? 'paused' : 'resumed', cause, paused: paused ?? null });
    apply();
    await children.tell(parentPaused, { paused: asked() ?? null, by: cause.by });
  }

  setHandler(
    defineUpdate<Paused, [PauseRequest]>(updates.pause),
    async ({ by, reason }) => {
      const before = asked();
      if (before) return before;
      const paused = { by, at: new Date().toISOString(), ...(reason !== undefined && { reason }) };
      own = paused;
      await change(paused);
      return paused;
    },
    { validator: refuseWrong },
  );
  setHandler(
    defineUpdate<void, [PauseRequest]>(updates.resume),
    async (cause) => {
      if (!own) return;
      own = undefined;
      await change(cause);
    },
    {
      validator: (cause) => {
        refuseWrong(cause);
        if (byParent) refuse('it is paused with its parent', `Resume \`${parent?.run}\`.`);
      },
    },
  );
  setHandler(parentPaused, async ({ paused, by }) => {
    if (cancellation.requested()) return;
    byParent = paused ?? undefined;
    if (!own) await change(paused ?? { by });
  });

  function refuseWrong({ by }: PauseRequest): void {
    if (cancellation.requested()) refuse('it is being cancelled', 'See `millrace show`.');
    if (!by.trim()) refuse('nobody is named', 'Say who it is.');
  }
  function refuse(why: string, hint: string): never {
    const error = new PauseRefused(`The run cannot be paused or resumed: ${why}.`, { run, hint });
    throw workflowFailure(failureInfo(error, {}), error.message);
  }

  return {
    isHeld: () => held !== undefined,
    hold: () => (held ? condition(() => held === undefined) : undefined),
    lift() {
      own = byParent = undefined;
      apply();
    },
  };
}
