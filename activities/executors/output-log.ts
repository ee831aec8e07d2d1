import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createOutputLines } from './output-lines.js';
import { createMask } from './secret-mask.js';

export type OutputSource = 'out' | 'err';

/** File with what a program printed: `<ISO time> <out|err> <text>` a line, secrets masked. */
export type OutputLog = {
  /** Takes the bytes of one of the program's streams; ends its last line when it is ended. */
  readonly sinks: { readonly [S in OutputSource]: Writable };
  /** Adds a line of Millrace's own. */
  note(text: string): void;
  /** Bytes written by this log. */
  size(): number;
  /** Ends both sinks and resolves when everything is in the file. */
  close(): Promise<void>;
};

/** Opens the log for appending; its folder is made where it is missing. */
export async function openOutputLog(
  file: string,
  { secrets }: { readonly secrets: readonly string[] },
): Promise<OutputLog> {
  await mkdir(path.dirname(file), { recursive: true });
  const target = createWriteStream(file, { flags: 'a' });
  await new Promise<void>((resolve, reject) => {
    target.once('open', () => resolve());
    target.once('error', reject);
  });
  // Reported to each write's callback and by close().
  target.on('error', () => undefined);
  let size = 0;
  const append = (source: OutputSource, lines: readonly string[], done: (error?: Error | null) => void) => {
    if (lines.length === 0) return done();
    const time = new Date().toISOString();
    const text = lines.map((line) => `${time} ${source} ${line}\n`).join('');
    size += Buffer.byteLength(text);
    target.write(text, done);
  };
  const sinkOf = (source: OutputSource): Writable => {
    const lines = createOutputLines(createMask(secrets));
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => append(source, lines.write(chunk), done),
      final: (done) => append(source, lines.end(), done),
    });
    return sink.on('error', () => undefined);
  };
  const sinks = { out: sinkOf('out'), err: sinkOf('err') };
  return {
    sinks,
    note: (text) => void sinks.err.write(`${text}\n`),
    size: () => size,
    async close() {
      await Promise.all([sinks.out, sinks.err].filter((sink) => !sink.destroyed).map(endStream));
      await endStream(target);
    },
  };
}

async function endStream(stream: Writable): Promise<void> {
  const ended = finished(stream);
  stream.end();
  await ended;
}
