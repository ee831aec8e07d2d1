import { addAbortSignal } from 'node:stream';
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';

/** One JSON line of the engine's answer while it pulls or builds. */
export type EngineMessage = {
  readonly status?: string;
  readonly id?: string;
  readonly stream?: string;
  readonly error?: string;
  readonly aux?: { readonly ID?: string };
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
};

/** Reads the engine's messages to their end. */
export async function* engineMessages(
  stream: NodeJS.ReadableStream,
  signal: AbortSignal,
): AsyncGenerator<EngineMessage> {
  addAbortSignal(signal, stream as Readable);
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    if (line.trim() !== '') yield JSON.parse(line) as EngineMessage;
  }
  signal.throwIfAborted();
}
