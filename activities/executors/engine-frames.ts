import type { OutputPiece } from './output-log.js';

/** A message of the engine's log: a line with its end, or 16 KiB of a longer one; all parts of one line have its time. */
export type EngineMessage = OutputPiece;

const headerLength = 8;
/** `2006-01-02T15:04:05.000000000Z` and a space. */
const timeLength = 31;

/**
 * Takes the stream of the engine's log with `timestamps` apart: frames of 8 bytes (stream, 0, 0, 0, length as big-endian uint32)
 * and a payload, each one message with its time in front. What came together is given together.
 */
export async function* engineFrames(stream: AsyncIterable<Buffer>): AsyncGenerator<readonly EngineMessage[]> {
  let held: Buffer[] = [];
  let length = 0;
  let wanted = headerLength;
  for await (const chunk of stream) {
    held.push(chunk);
    length += chunk.length;
    if (length < wanted) continue;
    const bytes = held.length === 1 ? chunk : Buffer.concat(held);
    const { messages, rest, next } = takeFrames(bytes);
    held = [rest];
    length = rest.length;
    wanted = next;
    if (messages.length > 0) yield messages;
  }
}

function takeFrames(bytes: Buffer): { messages: EngineMessage[]; rest: Buffer; next: number } {
  const messages: EngineMessage[] = [];
  let from = 0;
  while (bytes.length - from >= headerLength) {
    const end = from + headerLength + bytes.readUInt32BE(from + 4);
    if (end > bytes.length) return { messages, rest: bytes.subarray(from), next: end - from };
    const payload = bytes.subarray(from + headerLength, end);
    messages.push({
      source: bytes[from] === 2 ? 'err' : 'out',
      time: payload.toString('latin1', 0, timeLength - 1),
      bytes: payload.subarray(timeLength),
    });
    from = end;
  }
  return { messages, rest: bytes.subarray(from), next: headerLength };
}
