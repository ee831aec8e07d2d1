import { stripVTControlCharacters } from 'node:util';
import { textWidth } from './text-width.js';

/** The part of a terminal's stream that is used. */
export type ScreenStream = {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
};

/** A part of the terminal that is drawn again in place. */
export interface LiveScreen extends Disposable {
  /** Replaces what is drawn. Lines must fit the width; colours are allowed. */
  draw(lines: readonly string[]): void;
  /** Puts text above what is drawn, where it stays. */
  print(text: string): void;
  /** Draws a last time and leaves it there; later draws begin below it. */
  finish(lines: readonly string[]): void;
}

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
// Terminals that know it show everything in between at once; others ignore it.
const beginFrame = '\x1b[?2026h';
const endFrame = '\x1b[?2026l';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';

/** One write a frame, and no line is cleared before its new text is there: nothing flickers. The cursor comes back however the process ends. */
export function liveScreen(stream: ScreenStream): LiveScreen {
  let drawn: readonly string[] = [];
  let active = false;

  const begin = () => {
    if (active) return '';
    active = true;
    process.once('exit', restore);
    return hideCursor;
  };
  const restore = () => {
    process.off('exit', restore);
    if (active) stream.write(showCursor);
    active = false;
  };
  /** Lines break anew when a terminal gets narrower: count the rows they take now. */
  const toTop = () => {
    const rows = drawn.reduce((sum, line) => sum + rowsOf(line, stream.columns), 0);
    return rows === 0 ? '' : `\x1b[${rows}A\r`;
  };
  const text = (lines: readonly string[]) => lines.map((line) => `${line}${clearLine}\n`).join('');
  const frame = (above: string, lines: readonly string[]) => {
    stream.write(`${begin()}${beginFrame}${toTop()}${above}${text(lines)}${clearBelow}${endFrame}`);
    drawn = lines;
  };

  return {
    draw: (lines) => frame('', lines),
    print: (printed) => frame(text(printed.split('\n')), drawn),
    finish(lines) {
      frame('', lines);
      drawn = [];
      restore();
    },
    [Symbol.dispose]: restore,
  };
}

const rowsOf = (line: string, columns: number): number =>
  Math.max(1, Math.ceil(textWidth(stripVTControlCharacters(line)) / Math.max(1, columns)));
