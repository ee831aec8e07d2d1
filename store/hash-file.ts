import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { Digest } from '../sdk/artifact.js';
import type { StoreOptions } from './artifact-store.js';

export type Hashed = { readonly digest: Digest; readonly size: number };

/** Bytes hashed between two turns of the event loop: about a millisecond's work. */
export const chunkBytes = 1 << 20;

export const digestOf = (bytes: Uint8Array | string): Digest =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** The digest of a file's bytes. */
export async function hashFile(path: string, { signal }: StoreOptions = {}): Promise<Hashed> {
  await using file = await open(path, 'r');
  return await readHashed(file, async () => {}, signal);
}

/** Copies an open file to another, hashing on the way: one read, and the digest is that of the bytes written. */
export const copyHashed = (
  from: FileHandle,
  to: FileHandle,
  { signal }: StoreOptions = {},
): Promise<Hashed> => readHashed(from, (chunk) => writeAll(to, chunk), signal);

async function readHashed(
  file: FileHandle,
  take: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<Hashed> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let size = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size);
    if (bytesRead === 0) return { digest: `sha256:${hash.digest('hex')}`, size };
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    await take(chunk);
    size += bytesRead;
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    written += (await file.write(chunk, written)).bytesWritten;
  }
}
