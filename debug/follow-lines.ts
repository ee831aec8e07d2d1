import { open } from 'node:fs/promises';

const everyMs = 150;

export type ProgramLine = {
  /** ISO 8601. */
  readonly at: string;
  readonly stream: 'out' | 'err';
  readonly text: string;
};

/** Calls for each line that is written to an attempt's log meanwhile. Dispose reads what is left. */
export function followLines(file: string, onLine: (line: ProgramLine) => void): AsyncDisposable {
  let offset = 0;
  let rest = '';
  let reading = Promise.resolve();

  async function readNew(): Promise<void> {
    const handle = await open(file).catch(() => undefined);
    if (!handle) return;
    try {
      for (const buffer = Buffer.alloc(64 * 1024); ;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
        if (bytesRead === 0) return;
        offset += bytesRead;
        // Byte by byte, so that a character cut in two is whole again below.
        const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) onLine(programLine(Buffer.from(line, 'latin1').toString('utf8')));
      }
    } finally {
      await handle.close();
    }
  }

  const timer = setInterval(() => {
    reading = reading.then(readNew).catch(() => undefined);
  }, everyMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await reading;
      await readNew();
    },
  };
}

/** A line of a log: `<ISO time> <out|err> <text>`. */
export function programLine(line: string): ProgramLine {
  const [, at = '', stream = 'out', text = line] = /^(\S+) (out|err) (.*)$/.exec(line) ?? [];
  return { at, stream: stream === 'err' ? 'err' : 'out', text };
}
