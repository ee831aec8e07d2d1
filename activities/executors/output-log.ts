import type { FileHandle } from 'node:fs/promises';
import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import type { LogEnd, LogEnds } from './log-ends.js';
import { readLogEnds } from './log-ends.js';
import type { OutputLine } from './output-lines.js';
import { createOutputLines } from './output-lines.js';
import type { OutputRate } from './output-rate.js';
import { createRateLimit } from './output-rate.js';
import { createMask } from './secret-mask.js';

export type OutputSource = 'out' | 'err';

/** What a program printed at once. */
export type OutputPiece = {
  readonly source: OutputSource;
  /** ISO 8601; the engine's own, to the nanosecond, where it comes from its log. */
  readonly time: string;
  readonly bytes: Buffer;
};

/** File with what a program printed: `<ISO time> <out|err> <text>` a line, secrets masked. */
export type OutputLog = {
  /** Takes the bytes of one of the program's streams as they come; ends its last line when it is ended. */
  readonly sinks: { readonly [S in OutputSource]: Writable };
  /** Takes pieces of the engine's log. Resolves when their whole lines are in the file. */
  write(pieces: readonly OutputPiece[]): Promise<void>;
  /** How far the file has come in the engine's log. */
  ends(): LogEnds;
  /** The engine's log is given again, from the lines at the ends or earlier: lines that are here are left out. */
  again(from: LogEnds): void;
  /** Adds a line of Millrace's own. */
  note(text: string): Promise<void>;
  /** Bytes in the file. */
  size(): number;
  /** Ends both sinks and resolves when everything is in the file; lines that have no end yet too, unless they are to come again. */
  close(options?: { readonly unended?: 'keep' | 'drop' }): Promise<void>;
};

export type OutputLogOptions = {
  readonly secrets: readonly string[];
  /** When the container was made whose log is read on; lines of before are another's. Default: all that are there are. */
  readonly createdAt?: string | undefined;
  /** Lines over it are left out, with a line in their place that says so. Default: none are. */
  readonly limit?: OutputRate | undefined;
};

/** Opens the log for appending; its folder is made where it is missing, and a last line that was cut off is taken away. */
export async function openOutputLog(
  file: string,
  { secrets, createdAt, limit = unlimited }: OutputLogOptions,
): Promise<OutputLog> {
  await mkdir(path.dirname(file), { recursive: true });
  const handle = await open(file, 'a+');
  try {
    const { ends, size } = await readLogEnds(handle);
    await handle.truncate(size);
    return createOutputLog(handle, {
      secrets,
      limit,
      size,
      ends: createdAt === undefined ? {} : since(ends, createdAt),
    });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const unlimited: OutputRate = { rate: Infinity, burst: Infinity };

const since = ({ out, err }: LogEnds, createdAt: string): LogEnds => ({
  ...(out && out.time >= createdAt && { out }),
  ...(err && err.time >= createdAt && { err }),
});

function createOutputLog(
  handle: FileHandle,
  given: {
    readonly ends: LogEnds;
    readonly size: number;
    readonly secrets: readonly string[];
    readonly limit: OutputRate;
  },
): OutputLog {
  let { size } = given;
  const ends: { [S in OutputSource]?: LogEnd } = { ...given.ends };
  /** Lines of the ends' times that are still to be left out. */
  let known: { [S in OutputSource]?: LogEnd } = {};
  const fresh = () => ({
    out: createOutputLines(createMask(given.secrets)),
    err: createOutputLines(createMask(given.secrets)),
  });
  let lines = fresh();
  const limit = createRateLimit(given.limit);
  let marking: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  const append = (text: string): Promise<void> => {
    if (text === '') return writing;
    const bytes = Buffer.from(text);
    size += bytes.length;
    writing = writing.then(() => writeWhole(handle, bytes));
    // Whoever writes next, and whoever closes, is told.
    writing.catch(() => undefined);
    return writing;
  };
  const isKnown = (source: OutputSource, time: string): boolean => {
    const left = known[source];
    if (left?.time !== time || left.lines === 0) return false;
    known[source] = { time, lines: left.lines - 1 };
    return true;
  };
  const ofOurs = (text: string): string => `${new Date().toISOString()} err ${text}\n`;
  const mark = (): string => {
    clearTimeout(marking);
    marking = undefined;
    const leftOut = limit.leftOut();
    return leftOut === undefined ? '' : ofOurs(`millrace: ${leftOut}`);
  };
  // Of a program that prints nothing more too.
  const markSoon = () => (marking ??= setTimeout(() => void append(mark()), markWithinMs).unref());
  const take = (source: OutputSource, made: readonly OutputLine[]): string => {
    let text = '';
    for (const line of made) {
      if (isKnown(source, line.time)) continue;
      const end = ends[source];
      ends[source] = { time: line.time, lines: end?.time === line.time ? end.lines + 1 : 1 };
      const shown = `${line.time} ${source} ${line.text}\n`;
      if (limit.admits(Buffer.byteLength(shown), line.time)) text += mark() + shown;
      else markSoon();
    }
    return text;
  };
  const sinkOf = (source: OutputSource): Writable =>
    new Writable({
      write(bytes: Buffer, _encoding, done) {
        const text = take(source, lines[source].write(bytes, new Date().toISOString()));
        // At once, so that the streams' order stays.
        if (text === '') done();
        else append(text).then(() => done(), done);
      },
    }).on('error', () => undefined);
  const sinks = { out: sinkOf('out'), err: sinkOf('err') };
  return {
    sinks,
    write(pieces) {
      let text = '';
      for (const { source, time, bytes } of pieces) text += take(source, lines[source].write(bytes, time));
      return append(text);
    },
    ends: () => ends,
    again(from) {
      lines = fresh();
      known = { ...from };
    },
    note: (text) => append(ofOurs(text)),
    size: () => size,
    async close({ unended = 'keep' } = {}) {
      try {
        await Promise.all(
          [sinks.out, sinks.err].filter((sink) => !sink.destroyed && !sink.writableEnded).map(endStream),
        );
        // What was left out comes again too.
        clearTimeout(marking);
        if (unended === 'keep')
          await append(take('out', lines.out.end()) + take('err', lines.err.end()) + mark());
        await writing;
      } finally {
        await handle.close();
      }
    },
  };
}

const markWithinMs = 2_000;

/** In one call where the system lets it: others append lines of theirs to the same file. */
async function writeWhole(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let from = 0; from < bytes.length;)
    from += (await handle.write(bytes, from, bytes.length - from)).bytesWritten;
}

const endStream = (stream: Writable): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.end(resolve);
  });
