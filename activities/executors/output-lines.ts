import { StringDecoder } from 'node:string_decoder';
import type { Mask } from './secret-mask.js';

/** Longer lines are cut into several. */
const longestLine = 64 * 1024;

/** Turns the bytes one stream of a program prints into lines, masked. */
export type OutputLines = {
  write(chunk: Buffer): readonly string[];
  /** The last line, where it had no end. */
  end(): readonly string[];
};

/** A lone carriage return ends a line too: progress bars are shown while they move. Bytes that are no UTF-8 become U+FFFD. */
export function createOutputLines(mask: Mask): OutputLines {
  const decoder = new StringDecoder('utf8');
  let pending = '';
  const take = (text: string): string[] => {
    const { lines, rest } = splitLines(pending + mask.write(text));
    pending = rest;
    return lines;
  };
  return {
    write: (chunk) => take(decoder.write(chunk)),
    end() {
      const lines = take(decoder.end());
      const last = (pending + mask.end()).replace(/\r$/, '');
      pending = '';
      return last === '' ? lines : [...lines, ...cut(last)];
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
