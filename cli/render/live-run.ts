import type { WriteStream } from 'node:tty';
import type { RunView } from '../../client/views.js';
import type { Colors } from '../output.js';
import { cropTree } from './crop-tree.js';
import { liveScreen } from './live-screen.js';
import { runTree } from './run-tree.js';
import { paintRow } from './styled-row.js';

/** A run's tree on a terminal, drawn again as it changes. */
export interface LiveRun extends Disposable {
  update(view: RunView): void;
  /** Puts a line above the tree. */
  print(text: string): void;
  /** Leaves the whole tree standing as it was last. */
  finish(): void;
}

const frameMs = 100;

export function liveRun(terminal: WriteStream, colors: Colors): LiveRun {
  const screen = liveScreen(terminal);
  let view: RunView | undefined;
  let frame = 0;
  const rows = (current: RunView, spinner: { readonly frame?: number }) =>
    runTree(current, { width: terminal.columns - 1, now: Date.now(), ...spinner });
  const draw = () => {
    if (view)
      screen.draw(cropTree(rows(view, { frame }), terminal.rows - 1).map((row) => paintRow(row, colors)));
  };
  const timer = setInterval(() => {
    frame += 1;
    draw();
  }, frameMs);
  terminal.on('resize', draw);
  const stop = () => {
    clearInterval(timer);
    terminal.off('resize', draw);
  };
  return {
    update(next) {
      view = next;
      draw();
    },
    print: (text) => screen.print(text),
    finish() {
      stop();
      screen.finish(view ? rows(view, {}).map(({ row }) => paintRow(row, colors)) : []);
    },
    [Symbol.dispose]() {
      stop();
      screen[Symbol.dispose]();
    },
  };
}
