import { open } from 'node:fs/promises';

const longestTail = 64 * 1024;

/** The last lines of a log, however long it is; none when it is not there. */
export async function lastLines(file: string, count: number): Promise<readonly string[]> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (!handle) return [];
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - longestTail);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const lines = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n');
    // The first line may be cut.
    return (from > 0 ? lines.slice(1) : lines).slice(-count).map((line) => line.slice(0, 1_000));
  } finally {
    await handle.close();
  }
}
