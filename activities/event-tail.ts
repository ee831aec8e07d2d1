import { openStepFile } from './read-step-file.js';
import type { StepEvent } from '../sdk/step-contract.js';
import { stepEvent } from '../sdk/step-contract.js';

export type EventTailOptions = {
  readonly onEvent: (event: StepEvent) => void;
  /** Called once for the first line that is no event. */
  readonly onGarbage: (line: string) => void;
  /** Time between looks; default 200 ms. */
  readonly intervalMs?: number;
};

const longestLine = 64 * 1024;

/** Follows an events file while a step writes it. Dispose reads what is left and stops. */
export function tailEvents(
  file: string,
  { onEvent, onGarbage, intervalMs = 200 }: EventTailOptions,
): AsyncDisposable {
  let offset = 0;
  let rest = '';
  let complained = false;
  let reading: Promise<void> = Promise.resolve();

  async function readNew(): Promise<void> {
    const handle = await openStepFile(file);
    if (!handle) return;
    try {
      for (const buffer = Buffer.alloc(longestLine); ;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
        if (bytesRead === 0) return;
        offset += bytesRead;
        const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
        rest = (lines.pop() ?? '').slice(0, longestLine);
        lines.forEach(take);
      }
    } finally {
      await handle.close();
    }
  }

  function take(line: string): void {
    // Read byte by byte, so that a character cut in two by the buffer's end is whole again here.
    const text = Buffer.from(line, 'latin1').toString('utf8').trim();
    if (text === '') return;
    const event = parseEvent(text);
    if (event) onEvent(event);
    else if (!complained) {
      complained = true;
      onGarbage(text);
    }
  }

  const timer = setInterval(() => {
    reading = reading.then(readNew).catch(() => undefined);
  }, intervalMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await reading;
      await readNew();
      take(rest);
      rest = '';
    },
  };
}

function parseEvent(text: string): StepEvent | undefined {
  try {
    return stepEvent.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
