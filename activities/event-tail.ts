import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { openStepFile } from './read-step-file.js';
import type { StepEvent } from '../sdk/step-contract.js';
import { stepEvent } from '../sdk/step-contract.js';

export type EventTailOptions = {
  readonly onEvent: (event: StepEvent) => void;
  /** Called once for the first line that is no event. */
  readonly onGarbage: (line: string) => void;
  /** Time between looks; default 200 ms. */
  readonly intervalMs?: number;
  /** File that keeps how far it has come, for who goes on when this process dies. Default: none. */
  readonly position?: string;
};

export type EventTail = AsyncDisposable & {
  /** Stops without taking a last line that is not whole yet: another goes on from here. */
  leave(): Promise<void>;
};

const longestLine = 64 * 1024;

/**
 * Follows an events file while a step writes it. Dispose reads what is left and stops. Where another has followed it before,
 * messages that it told are not told again; metrics, progress and failures of its last seconds are, since nobody knows whether
 * they were kept.
 */
export function tailEvents(
  file: string,
  { onEvent, onGarbage, intervalMs = 200, position }: EventTailOptions,
): EventTail {
  let offset = 0;
  let rest = '';
  let told = 0;
  let over = false;
  let complained = false;
  const progress = position === undefined ? undefined : keepProgress(position);
  // A promise that rejects before the first look would end the process.
  let reading: Promise<void> = begin().catch(() => undefined);

  async function begin(): Promise<void> {
    const from = await progress?.read();
    offset = from?.settled ?? 0;
    told = from?.told ?? 0;
  }

  async function readNew(): Promise<void> {
    const handle = await openStepFile(file);
    if (!handle) return;
    try {
      for (const buffer = Buffer.alloc(longestLine); ;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
        if (bytesRead === 0) break;
        takeLines(buffer.toString('latin1', 0, bytesRead));
      }
    } finally {
      await handle.close();
    }
    // On a full disk, say: who reads on then tells a little more twice.
    await progress?.write().catch(() => undefined);
  }

  function takeLines(chunk: string): void {
    let from = 0;
    for (let to = chunk.indexOf('\n'); to >= 0; to = chunk.indexOf('\n', from)) {
      take(rest + chunk.slice(from, to), offset + to + 1);
      rest = '';
      from = to + 1;
    }
    rest = (rest + chunk.slice(from)).slice(0, longestLine);
    offset += chunk.length;
  }

  /** @param end where in the file the next line begins */
  function take(line: string, end: number): void {
    // Read byte by byte, so that a character cut in two by the buffer's end is whole again here.
    const text = Buffer.from(line.slice(0, longestLine), 'latin1').toString('utf8').trim();
    const event = text === '' ? undefined : parseEvent(text);
    if (event && (event.type !== 'message' || end > told)) onEvent(event);
    progress?.at(end, event);
    if (event || text === '' || complained) return;
    complained = true;
    onGarbage(text);
  }

  const timer = setInterval(() => {
    reading = reading.then(readNew).catch(() => undefined);
  }, intervalMs);
  const stop = async () => {
    clearInterval(timer);
    await reading;
  };
  return {
    async leave() {
      over = true;
      await stop();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      if (over) return;
      await readNew();
      take(rest, offset);
      rest = '';
    },
  };
}

const offset = z.number().int().min(0);
const positionSchema = z.object({ settled: offset, told: offset });
type Position = Readonly<z.infer<typeof positionSchema>>;

/** Rows of events are written behind them: within this time, or the catalog is away and who reads on gives them once more. */
const settleMs = 5_000;

/** Remembers how far a tail has told, and how far what it told is surely kept. */
function keepProgress(file: string) {
  let known: Position = { settled: 0, told: 0 };
  let now: Position = known;
  let line = 0;
  /** How the step failed must be told again to whoever sees its end. */
  let failure = Infinity;
  let looks: readonly { readonly told: number; readonly at: number }[] = [];
  return {
    async read(): Promise<Position | undefined> {
      const text = await readFile(file, 'utf8').catch(() => undefined);
      const found = text === undefined ? undefined : parsePosition(text);
      if (!found) return undefined;
      known = found;
      now = known;
      line = known.settled;
      return known;
    },
    at(end: number, event: StepEvent | undefined): void {
      if (event?.type === 'failure') failure = Math.min(failure, line);
      line = end;
      now = { ...now, told: Math.max(now.told, end) };
    },
    async write(): Promise<void> {
      const at = Date.now();
      const settled = looks.findLast((look) => look.at < at - settleMs)?.told ?? 0;
      now = { ...now, settled: Math.max(now.settled, Math.min(settled, failure)) };
      looks = [...looks.filter((look) => look.at >= at - settleMs), { told: now.told, at }];
      if (now.told === known.told && now.settled === known.settled) return;
      const draft = `${file}.new`;
      await writeFile(draft, JSON.stringify(now));
      await rename(draft, file);
      known = now;
    },
  };
}

/** A host that lost its power may leave it empty: then all is read once more. */
function parsePosition(text: string): Position | undefined {
  try {
    return positionSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function parseEvent(text: string): StepEvent | undefined {
  try {
    return stepEvent.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
