import { Writable } from 'node:stream';
import type { OutputSource } from './output-log.js';

const headerLength = 8;

/**
 * Takes the engine's attach stream apart: frames of 8 bytes (stream, 0, 0, 0, length as big-endian uint32) and a payload. Waits
 * for a sink that is full, so that a program can print no faster than its log is written.
 */
export function demultiplex(sinks: { readonly [S in OutputSource]: Writable }): Writable {
  let header = Buffer.alloc(0);
  let left = 0;
  let sink = sinks.out;
  async function take(chunk: Buffer): Promise<void> {
    for (let from = 0; from < chunk.length;) {
      if (left === 0) {
        const part = chunk.subarray(from, from + headerLength - header.length);
        header = Buffer.concat([header, part]);
        from += part.length;
        if (header.length < headerLength) return;
        sink = header[0] === 2 ? sinks.err : sinks.out;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
      } else {
        const payload = chunk.subarray(from, from + left);
        from += payload.length;
        left -= payload.length;
        await write(sink, payload);
      }
    }
  }
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => void take(chunk).then(() => done(), done),
  });
}

const write = (sink: Writable, chunk: Buffer): Promise<void> =>
  new Promise((resolve, reject) => sink.write(chunk, (error) => (error ? reject(error) : resolve())));
