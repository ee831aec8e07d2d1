import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Digest } from '../../sdk/artifact.js';
import type { StoreOptions } from '../artifact-store.js';
import { chunkBytes } from '../hash-file.js';

/** A stretch of a file that is sent in one request. */
export type FilePart = {
  /** From 1. */
  readonly number: number;
  readonly start: number;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
};

export type HashedParts = {
  readonly digest: Digest;
  readonly size: number;
  readonly parts: readonly FilePart[];
};

const mostParts = 10_000;
const smallestPart = 16 * 2 ** 20;
const mebibyte = 2 ** 20;

/** Bytes of a part of a file: S3 takes ten thousand of them. */
export const partSizeFor = (size: number): number =>
  Math.max(smallestPart, Math.ceil(size / mostParts / mebibyte) * mebibyte);

/** Digest of an open file and of each of its parts, in one read. */
export async function hashParts(
  file: FileHandle,
  { partSize, signal }: StoreOptions & { readonly partSize: number },
): Promise<HashedParts> {
  const whole = createHash('sha256');
  const parts: FilePart[] = [];
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let part = createHash('sha256');
  let start = 0;
  let position = 0;
  const endPart = (): void => {
    parts.push({ number: parts.length + 1, start, size: position - start, sha256: part.digest('hex') });
    part = createHash('sha256');
    start = position;
  };
  for (;;) {
    signal?.throwIfAborted();
    const most = Math.min(buffer.length, start + partSize - position);
    const { bytesRead } = await file.read(buffer, 0, most, position);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    whole.update(chunk);
    part.update(chunk);
    position += bytesRead;
    if (position - start === partSize) endPart();
  }
  if (position > start || parts.length === 0) endPart();
  return { digest: `sha256:${whole.digest('hex')}`, size: position, parts };
}
