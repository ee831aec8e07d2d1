import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { StatePaths } from '../config/state-paths.js';
import type { Digest } from '../sdk/artifact.js';
import { isMillraceError } from '../sdk/errors.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { AttemptRecord, Catalog } from '../store/catalog.js';
import type { LogChunk, LogPlace } from '../store/log-chunks.js';

/** Reads one attempt's log from where it has come to, wherever it lies by then: each line once, in order. */
export interface AttemptLog {
  /**
   * Lines that came since.
   * @param attempt its row as it is now
   * @param options.last nobody asks again: the store is looked at also if it was just before
   */
  read(attempt: AttemptRecord, options: { readonly last: boolean }): AsyncIterable<string>;
}

export type AttemptLogParts = {
  readonly catalog: Pick<Catalog, 'attempts' | 'logChunks'>;
  readonly store: Pick<ArtifactStore, 'read'>;
  readonly paths: Pick<StatePaths, 'attemptLog'>;
};

/** Chunks come seconds apart: looking for them more often only costs the catalog, ms. */
const storeLookMs = 1_000;
const blockSize = 1024 * 1024;
const lineEnd = 0x0a;

export function attemptLog(place: LogPlace, { catalog, store, paths }: AttemptLogParts): AttemptLog {
  const file = paths.attemptLog(place.run, place.path, place.attempt);
  /** Bytes of the log that were read: whole lines. */
  let position = 0;
  /** The last chunk that was read. */
  let sequence = 0;
  let lookedAt = -Infinity;
  /** `closed`: nothing comes but its log as a whole. */
  let state: 'open' | 'closed' | 'whole' = 'open';

  /** Lines of the bytes from `position` on. @param end the bytes end the log */
  async function* linesOf(blocks: AsyncIterable<Buffer>, end: boolean): AsyncIterable<string> {
    let rest: Buffer = Buffer.alloc(0);
    for await (const block of blocks) {
      const bytes = rest.length === 0 ? block : Buffer.concat([rest, block]);
      const whole = bytes.lastIndexOf(lineEnd) + 1;
      rest = bytes.subarray(whole);
      position += whole;
      if (whole > 0) yield* bytes.toString('utf8', 0, whole - 1).split('\n');
    }
    if (!end || rest.length === 0) return;
    position += rest.length;
    yield rest.toString('utf8');
  }

  async function* readWhole(digest: Digest): AsyncIterable<string> {
    yield* linesOf(behind(await store.read(digest), position), true);
    state = 'whole';
  }

  async function* readChunk(chunk: LogChunk): AsyncIterable<string> {
    if (chunk.position + chunk.size > position)
      yield* linesOf(behind(await store.read(chunk.digest), position - chunk.position), false);
    sequence = chunk.sequence;
  }

  async function* readChunks(): AsyncIterable<string> {
    for (const chunk of await catalog.logChunks.list(place, sequence)) {
      // In its stead the whole log may have come just now.
      const missing = yield* untilMissing(readChunk(chunk));
      if (!missing) continue;
      const now = (await catalog.attempts(place.run, place.path)).find(({ attempt }) => attempt === place.attempt); // prettier-ignore
      if (now?.log === undefined) throw missing;
      return yield* readWhole(now.log);
    }
  }

  return {
    async *read({ status, log }, { last }) {
      if (state === 'whole' || (state === 'closed' && log === undefined)) return;
      await using here = await openFrom(file, position);
      if (here) {
        yield* linesOf(blocksOf(here.handle, position), log !== undefined || last);
        if (log !== undefined) state = 'whole';
        return;
      }
      if (log !== undefined) return yield* readWhole(log);
      if (!last && performance.now() - lookedAt < storeLookMs) return;
      lookedAt = performance.now();
      yield* readChunks();
      if (state === 'open' && status !== 'running' && status !== 'lost') state = 'closed';
    },
  };
}

/** This host's file, if it has one that has come so far: in the store there may be more than in one that was begun anew. */
async function openFrom(
  file: string,
  position: number,
): Promise<(AsyncDisposable & { readonly handle: FileHandle }) | undefined> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (!handle) return undefined;
  if ((await handle.stat()).size >= position) return { handle, [Symbol.asyncDispose]: () => handle.close() };
  await handle.close();
  return undefined;
}

async function* blocksOf(handle: FileHandle, position: number): AsyncIterable<Buffer> {
  for (let from = position; ;) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(blockSize), 0, blockSize, from);
    if (bytesRead === 0) return;
    from += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** What follows the first bytes. */
async function* behind(stream: AsyncIterable<Buffer>, bytes: number): AsyncIterable<Buffer> {
  let left = bytes;
  for await (const block of stream) {
    if (block.length > left) yield block.subarray(left);
    left = Math.max(0, left - block.length);
  }
}

async function* untilMissing(lines: AsyncIterable<string>): AsyncGenerator<string, Error | undefined> {
  try {
    yield* lines;
    return undefined;
  } catch (error) {
    if (isMillraceError(error) && error.code === 'ARTIFACT_MISSING') return error;
    throw error;
  }
}
