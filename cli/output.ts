import { stdin, stderr, stdout } from 'node:process';
import type { WriteStream } from 'node:tty';
import picocolors from 'picocolors';

export type Colors = ReturnType<typeof picocolors.createColors>;

/** Where a command's words go. stdout carries the answer; with --json only JSON, and everything for people goes to stderr. */
export type Output = {
  readonly json: boolean;
  readonly colors: Colors;
  /** The terminal that `say` writes to, when it is one that can be redrawn. */
  readonly terminal: WriteStream | undefined;
  /** Whether a question can be asked and answered. */
  readonly interactive: boolean;
  /** Columns of the terminal; undefined where lines may be as long as they like. */
  readonly width: () => number | undefined;
  /** A line, or several, of the answer for people. */
  readonly say: (text: string) => void;
  /** What goes beside the answer: progress, what to do next. Always on stderr. */
  readonly note: (text: string) => void;
  /** The answer as one line of JSON; nothing without --json. */
  readonly answer: (value: unknown) => void;
};

export type OutputOptions = {
  readonly json: boolean;
  /** False after --no-color. */ readonly color: boolean;
};

export function createOutput({ json, color }: OutputOptions, env: NodeJS.ProcessEnv = process.env): Output {
  const stream = json ? stderr : stdout;
  const isTerminal = stream.isTTY && env['TERM'] !== 'dumb';
  return {
    json,
    colors: picocolors.createColors(isTerminal && color && !env['NO_COLOR']),
    terminal: isTerminal ? stream : undefined,
    interactive: isTerminal && stdin.isTTY,
    width: () => (isTerminal ? stream.columns : undefined),
    say: (text) => void stream.write(`${text}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    answer: (value) => {
      if (json) stdout.write(`${JSON.stringify(value)}\n`);
    },
  };
}
