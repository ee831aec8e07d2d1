import type Docker from 'dockerode';
import type { EngineMessage } from './engine-frames.js';
import { engineFrames } from './engine-frames.js';
import type { LogEnds } from './log-ends.js';
import type { MessageOrder } from './message-order.js';
import type { OutputLog } from './output-log.js';

export type ReadOutputOptions = {
  readonly container: Docker.Container;
  readonly log: OutputLog;
  readonly order: MessageOrder;
  readonly signal: AbortSignal;
};

/**
 * Reads the engine's log of a container into ours, from where ours ends: of a running container as long as it runs and the
 * engine answers.
 * @returns undefined at the log's end, else why the engine gives no more; rejects only when our log cannot be written
 */
export async function readOutput({
  container,
  log,
  order,
  signal,
}: ReadOutputOptions): Promise<{ readonly cause: unknown } | undefined> {
  const ends = log.ends();
  const from = { ...ends };
  log.again(from);
  order.again(from);
  let batches: AsyncGenerator<readonly EngineMessage[]>;
  try {
    const stream = await container.logs({
      // Of an ended one too: its log is streamed then, up to its end.
      follow: true,
      stdout: true,
      stderr: true,
      timestamps: true,
      ...sinceOf(from),
      abortSignal: signal,
    });
    batches = engineFrames(stream as unknown as AsyncIterable<Buffer>);
  } catch (cause) {
    return { cause };
  }
  for (;;) {
    let next: IteratorResult<readonly EngineMessage[]>;
    try {
      next = await batches.next();
    } catch (cause) {
      return { cause };
    }
    if (next.done) return undefined;
    await take(next.value, { log, order });
  }
}

async function take(
  messages: readonly EngineMessage[],
  { log, order }: Pick<ReadOutputOptions, 'log' | 'order'>,
): Promise<void> {
  let fresh: EngineMessage[] = [];
  for (const message of messages) {
    const place = order.place(message);
    if (place === 'gap') {
      await log.write(fresh);
      await log.note(
        'millrace: output is missing here: the engine keeps the newest of it only, and nobody read it in time',
      );
      fresh = [];
    }
    if (place !== 'known') fresh.push(message);
  }
  await log.write(fresh);
}

/** A clock that was set back a little must not hide what follows. */
const slackSeconds = 10;

/** Where one stream has printed nothing yet all may be its. */
function sinceOf({ out, err }: LogEnds): { since?: string } {
  if (!out || !err) return {};
  const earliest = out.time < err.time ? out.time : err.time;
  const seconds = Math.floor(Date.parse(earliest) / 1000) - slackSeconds;
  return { since: String(seconds) };
}
