import { StringDecoder } from 'node:string_decoder';
import type { Mask } from './secret-mask.js';

/** Longer lines are cut into several. */
const longestLine = 64 * 1024;

/** A line of output, with the time of the piece that it begins in. */
export type OutputLine = { readonly time: string; readonly text: string };

/** Turns the bytes one stream of a program prints into lines, masked. */
export type OutputLines = {
  /** @param time when the piece was printed */
  write(chunk: Buffer, time: string): readonly OutputLine[];
  /** The last line, where it had no end. */
  end(): readonly OutputLine[];
};

/** A lone carriage return ends a line too: progress bars are shown while they move. Bytes that are no UTF-8 become U+FFFD. */
export function createOutputLines(mask: Mask): OutputLines {
  const decoder = new StringDecoder('utf8');
  let pending = '';
  /** Of what is pending or held back. */
  let since: string | undefined;
  const take = (text: string, time: string): readonly OutputLine[] => {
    const { lines, rest } = splitLines(pending + mask.write(text));
    pending = rest;
    const timed = lines.map((line, index) => ({ time: index === 0 ? (since ?? time) : time, text: line }));
    const begun = lines.length === 0 ? (since ?? time) : time;
    since = rest !== '' || mask.holds() ? begun : undefined;
    return timed;
  };
  return {
    write: (chunk, time) => take(decoder.write(chunk), time),
    end() {
      const time = since ?? new Date().toISOString();
      const { lines, rest } = splitLines(pending + mask.write(decoder.end()) + mask.end());
      const last = rest.replace(/\r$/, '');
      pending = '';
      since = undefined;
      return [...lines, ...(last === '' ? [] : cut(last))].map((text) => ({ time, text }));
    },
  };
}

function splitLines(text: string): { readonly lines: string[]; readonly rest: string } {
  const lines: string[] = [];
  let from = 0;
  // A carriage return at the very end may be half of a line end.
  for (const { 0: end, index } of text.matchAll(/\r?\n|\r(?!\n|$)/g)) {
    const line = text.slice(from, index);
    if (line !== '' || end !== '\r') lines.push(...cut(line));
    from = index + end.length;
  }
  let rest = text.slice(from);
  while (rest.length > longestLine) {
    const [head = ''] = cut(rest);
    lines.push(head);
    rest = rest.slice(head.length);
  }
  return { lines, rest };
}

function cut(line: string): string[] {
  const pieces: string[] = [];
  for (let from = 0; from < line.length || pieces.length === 0;) {
    let to = Math.min(from + longestLine, line.length);
    if (to < line.length && /[\uD800-\uDBFF]/.test(line.charAt(to - 1))) to -= 1;
    pieces.push(line.slice(from, to));
    from = to;
  }
  return pieces;
}
