import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { isMillraceError } from '../../sdk/errors.js';
import type { StoreOptions } from '../../store/artifact-store.js';
import type { LogPlace } from '../../store/log-chunks.js';
import type { StepEnvironment } from '../step-environment.js';

/** Whose log it is, and what its parts work with. */
export type LogFile = LogPlace & {
  /** On this host; it only grows. */
  readonly file: string;
  readonly env: Pick<StepEnvironment, 'store' | 'catalog' | 'logger'>;
};

export type StoreAsked = StoreOptions & {
  /** All that is there, though it be little. */
  readonly all?: boolean;
};

/** Stores what an attempt's log has gained, in chunks, as often as it is asked to. */
export interface LogStorer {
  /** Never rejects: what cannot be stored is stored later, told of once, and costs the step nothing. */
  store(options: StoreAsked): Promise<void>;
}

/** A chunk is stored once the log has gained so many bytes, or so much time has passed since the last one, ms. */
export const chunkSize = 1024 * 1024;
export const chunkMs = 5_000;

export function logStorer({ file, env, ...place }: LogFile): LogStorer {
  const { store, catalog, logger } = env;
  /** Where the next chunk begins; undefined when no more are taken. */
  let next: number | undefined;
  let known = false;
  let storedAt = -Infinity;
  let complained = false;

  async function storeChunk(log: FileHandle, { all = false, ...options }: StoreAsked): Promise<boolean> {
    if (next === undefined) return false;
    const { size } = await log.stat();
    const due = all || performance.now() - storedAt >= chunkMs;
    if (size <= next || !(due || size - next >= chunkSize)) return false;
    const lines = await wholeLines(log, next, size);
    if (!lines) return false;
    const { digest } = await store.putBytes(lines, options);
    next = await catalog.logChunks.add({
      ...place,
      position: next,
      digest,
      size: lines.length,
      ...timesOf(lines),
    });
    storedAt = performance.now();
    return true;
  }

  return {
    async store(asked) {
      try {
        if (!known) next = await catalog.logChunks.next(place);
        known = true;
        await using log = await open(file, 'r');
        while (await storeChunk(log, asked)) asked.signal?.throwIfAborted();
      } catch (error) {
        // Nothing was printed yet.
        if (asked.signal?.aborted || (error as NodeJS.ErrnoException).code === 'ENOENT') return;
        // Another worker may have stored it meanwhile.
        known = false;
        if (complained) return;
        complained = true;
        const { run, path, attempt } = place;
        const why = isMillraceError(error) ? error.what : String(error);
        logger.warn({ run, step: path, attempt, err: error }, `the log is not in the store yet: ${why}`);
      }
    },
  };
}

/** One chunk from a position on, to the end of its last line; longer than others where a single line is. */
async function wholeLines(log: FileHandle, from: number, size: number): Promise<Buffer | undefined> {
  for (let length = chunkSize; ; length *= 2) {
    const wanted = Math.min(length, size - from);
    const { buffer, bytesRead } = await log.read(Buffer.alloc(wanted), 0, wanted, from);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
    if (end > 0) return buffer.subarray(0, end);
    if (wanted === size - from) return undefined;
  }
}

function timesOf(lines: Buffer): { readonly firstAt: string; readonly lastAt: string } {
  const last = lines.lastIndexOf(0x0a, lines.length - 2) + 1;
  return { firstAt: timeAt(lines, 0), lastAt: timeAt(lines, last) };
}

const timeAt = (lines: Buffer, from: number): string =>
  /^\S*/.exec(lines.toString('latin1', from, from + 40))?.[0] ?? '';
