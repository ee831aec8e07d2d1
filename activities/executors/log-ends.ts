import type { FileHandle } from 'node:fs/promises';
import type { OutputSource } from './output-log.js';

/** How far a log has come in one of the engine's streams: the time of its last line, and how many lines of that time it has. */
export type LogEnd = { readonly time: string; readonly lines: number };
export type LogEnds = { readonly [S in OutputSource]?: LogEnd };

/** Of what the engine printed: nine digits of a second. Lines of Millrace's own have three. */
const engineLine = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (out|err) /;

const blockSize = 1024 * 1024;
/** More than the engine keeps: what is further back it does not give again. */
const farthest = 128 * blockSize;

/**
 * Finds the last whole line of each of the engine's streams.
 * @returns the ends, and the size without a last line that was cut off
 */
export async function readLogEnds(file: FileHandle): Promise<{ ends: LogEnds; size: number }> {
  const { size } = await file.stat();
  const found: Found = {};
  let whole: number | undefined;
  let carried = Buffer.alloc(0);
  for (let to = size; to > Math.max(0, size - farthest);) {
    const from = Math.max(0, to - blockSize);
    const block = Buffer.alloc(to - from);
    await file.read(block, 0, block.length, from);
    const text = Buffer.concat([block, carried]);
    if (whole === undefined) {
      const last = text.lastIndexOf('\n');
      if (last >= 0) whole = from + last + 1;
    }
    // The first line goes on in the block before.
    const first = from === 0 ? 0 : text.indexOf('\n') + 1;
    carried = text.subarray(0, first);
    if (whole !== undefined) count(found, text.subarray(first, Math.max(first, whole - from)));
    if (found.out?.done && found.err?.done) break;
    to = from;
  }
  return {
    ends: { ...endOf('out', found), ...endOf('err', found) },
    size: whole ?? (size > farthest ? size : 0),
  };
}

type Found = { [S in OutputSource]?: { time: string; lines: number; done?: boolean } };

function count(found: Found, lines: Buffer): void {
  for (const line of lines.toString('latin1').split('\n').reverse()) {
    const [, time, source] = engineLine.exec(line) ?? [];
    if (time === undefined || (source !== 'out' && source !== 'err')) continue;
    const known = (found[source] ??= { time, lines: 0 });
    if (known.done) continue;
    if (known.time === time) known.lines += 1;
    else known.done = true;
  }
}

const endOf = (source: OutputSource, { [source]: found }: Found): LogEnds =>
  found ? { [source]: { time: found.time, lines: found.lines } } : {};
