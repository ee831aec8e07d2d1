import type { RunHandle } from '../client/client.js';
import type { RunView } from '../client/views.js';
import type { Output } from './output.js';
import { liveRun } from './render/live-run.js';
import { runEvents } from './render/run-events.js';

export type FollowOptions = {
  readonly output: Output;
  readonly signal: AbortSignal;
  /** What was shown before, when a run is followed in parts. */
  readonly former?: RunView | undefined;
  /** Ends the following early. Default: never. */
  readonly until?: (view: RunView) => boolean;
};

/**
 * Shows a run as it goes: a live tree on a terminal, a line an event elsewhere.
 * @returns the last view: of a closed run, of one that `until` holds for, or as it stood when the signal aborted
 */
export async function followRun(handle: RunHandle, options: FollowOptions): Promise<RunView> {
  const { signal, until = () => false } = options;
  using shown = display(options);
  let last: RunView | undefined;
  for await (const view of handle.watch({ interval: 150, signal })) {
    last = view;
    shown.update(view);
    if (until(view)) break;
  }
  shown.finish();
  return last ?? handle.view();
}

type Display = Disposable & { readonly update: (view: RunView) => void; readonly finish: () => void };

function display({ output, former }: FollowOptions): Display {
  if (output.terminal) return liveRun(output.terminal, output.colors);
  let before = former;
  return {
    update(view) {
      for (const line of runEvents(before, view)) output.say(line);
      before = view;
    },
    finish: () => undefined,
    [Symbol.dispose]: () => undefined,
  };
}
