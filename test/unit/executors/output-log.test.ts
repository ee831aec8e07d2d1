import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { engineFrames } from '../../../activities/executors/engine-frames.js';
import { openOutputLog } from '../../../activities/executors/output-log.js';
import { waitFor } from '../../support/wait-for.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

type Piece = readonly ['out' | 'err', string | Buffer];

async function logged(pieces: readonly Piece[], secrets: readonly string[] = []): Promise<string[]> {
  const file = path.join(await temporaryFolder(), 'deep', 'step.log');
  const log = await openOutputLog(file, { secrets });
  for (const [source, text] of pieces) log.sinks[source].write(text);
  await log.close();
  const text = await readFile(file, 'utf8');
  expect(log.size()).toBe(Buffer.byteLength(text));
  const lines = text.split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => {
    expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (out|err) /);
    return line.slice(25);
  });
}

describe('the output log', () => {
  test('keeps both streams, also a last line without an end', async () => {
    expect(
      await logged([
        ['out', 'one\ntw'],
        ['err', 'oops\n'],
        ['out', 'o\n\nlast'],
      ]),
    ).toEqual(['out one', 'err oops', 'out two', 'out ', 'out last']);
  });

  test('ends lines at CRLF and at the lone carriage returns of progress bars', async () => {
    expect(
      await logged([
        ['err', '\r 1 %\r 2 %\r'],
        ['err', '\ndone\r\n'],
      ]),
    ).toEqual(['err  1 %', 'err  2 %', 'err done']);
  });

  test('cuts a line of 200 KB into pieces of 64 KiB and loses nothing', async () => {
    const lines = await logged([
      ['out', 'x'.repeat(100_000)],
      ['out', `${'y'.repeat(100_000)}\nnext\n`],
    ]);
    expect(lines.map((line) => line.length - 4)).toEqual([65_536, 65_536, 65_536, 200_000 - 3 * 65_536, 4]);
    expect(
      lines
        .slice(0, 4)
        .map((line) => line.slice(4))
        .join(''),
    ).toBe('x'.repeat(100_000) + 'y'.repeat(100_000));
  });

  test('cuts no character in two, neither between pieces nor at the limit', async () => {
    const bytes = Buffer.from('grüße\n');
    expect(
      await logged([
        ['out', bytes.subarray(0, 3)],
        ['out', bytes.subarray(3)],
      ]),
    ).toEqual(['out grüße']);
    const lines = await logged([['out', `${'x'.repeat(65_535)}😀\n`]]);
    expect(lines).toEqual([`out ${'x'.repeat(65_535)}`, 'out 😀']);
  });

  test('shows bytes that are no text as U+FFFD', async () => {
    expect(await logged([['out', Buffer.from([0x61, 0xff, 0xfe, 0x62, 0x0a])]])).toEqual([
      'out a\uFFFD\uFFFDb',
    ]);
  });

  test('masks secrets, also over two pieces and several lines', async () => {
    const pieces: Piece[] = [
      ['out', 'token=s3cr'],
      ['out', 'et-value;\n'],
      ['err', 'first line\nsecond line\n'],
    ];
    expect(await logged(pieces, ['s3cret-value', 'first line\nsecond line'])).toEqual([
      'out token=***;',
      'err ***',
    ]);
  });
});

describe('the limit of the output log', () => {
  const limit = { rate: 1_000, burst: 3_000 };
  const second = (at: number) =>
    new Date(Date.UTC(2026, 0, 1) + at * 1_000).toISOString().replace('Z', '000000Z');
  const opened = async (secrets: readonly string[] = []) => {
    const file = path.join(await temporaryFolder(), 'step.log');
    const log = await openOutputLog(file, { secrets, limit });
    /** So many lines of 100 bytes at once. */
    const print = (count: number, at: number, text = 'x'.repeat(64)) =>
      log.write([{ source: 'out', time: second(at), bytes: Buffer.from(`${text}\n`.repeat(count)) }]);
    /** How many lines there are in a row, and the marks between them. */
    const shown = async () => {
      const texts = (await readFile(file, 'utf8')).trimEnd().split('\n').map((line) => line.replace(/^\S+ (out|err) /, ''));
      const rows: (string | number)[] = [];
      for (const text of texts) {
        const last = rows.at(-1);
        if (text.startsWith('millrace:')) rows.push(text);
        else if (typeof last === 'number') rows[rows.length - 1] = last + 1;
        else rows.push(1);
      }
      return rows;
    };
    return { file, log, print, shown };
  }; // prettier-ignore
  const mark = (lines: number, size: string) =>
    `millrace: ${lines} ${lines === 1 ? 'line' : 'lines'} (${size}) or more left out: more than 1000 B/s`;

  test('lets a program print more at once now and then', async () => {
    const { log, print, shown } = await opened();
    await print(30, 0);
    await print(30, 3);
    await print(10, 4);
    await log.close();
    expect(await shown()).toEqual([70]);
  });

  test('leaves out what is more, and says how much with one line for many', async () => {
    const { log, print, shown } = await opened();
    await print(80, 0);
    for (let tenth = 1; tenth < 10; tenth += 1) await print(10, tenth / 10);
    await print(10, 1);
    await log.close();
    // The burst; then, a second later, a second's worth.
    expect(await shown()).toEqual([30, mark(140, '13.7 KiB'), 10]);
    expect(log.size()).toBeLessThan(5_000);
  });

  test('says it at the end too, and soon of a program that prints no more', async () => {
    const { log, print, shown } = await opened();
    await print(31, 0);
    await waitFor(async () => (await shown()).length > 1, { what: 'the mark' });
    await print(5, 0);
    await log.close();
    expect(await shown()).toEqual([30, mark(1, '100 B'), mark(5, '500 B')]);
  });

  test('says nothing of lines that the next worker is to see once more', async () => {
    const { file, log, print, shown } = await opened();
    await print(31, 0);
    await log.close({ unended: 'drop' });
    expect(await shown()).toEqual([30]);
    const next = await openOutputLog(file, { secrets: [], limit, createdAt: second(0) });
    next.again(next.ends());
    await next.write([
      { source: 'out', time: second(0), bytes: Buffer.from(`${'x'.repeat(64)}\n`.repeat(31)) },
    ]);
    await next.close();
    expect(await shown()).toEqual([31]);
  });

  test('lets a single line be longer than the burst', async () => {
    const { log, print, shown } = await opened();
    await print(1, 0, 'y'.repeat(5_000));
    await print(1, 1);
    await print(1, 4);
    await log.close();
    expect(await shown()).toEqual([1, mark(1, '100 B'), 1]);
  });

  test('bears a clock that is set back', async () => {
    const { log, print, shown } = await opened();
    await print(29, 100);
    await print(1, 0);
    await print(1, 50);
    await print(10, 101);
    await log.close();
    expect(await shown()).toEqual([30, mark(1, '100 B'), 10]);
  });

  test('hides secrets that begin in a line which is left out', async () => {
    const { file, log, print } = await opened(['secret-value\nof two lines']);
    await print(31, 0);
    await log.write([{ source: 'out', time: second(0), bytes: Buffer.from('secret-value\n') }]);
    await log.write([{ source: 'out', time: second(5), bytes: Buffer.from('of two lines\nafter\n') }]);
    await log.close();
    const text = await readFile(file, 'utf8');
    expect(text).toMatch(/ out after\n/);
    expect(text).not.toMatch(/secret-value|two lines/);
  });
});

describe('the stream of the engine', () => {
  const time = '2026-01-02T03:04:05.123456789Z';
  const frame = (stream: number, text: string): Buffer => {
    const payload = Buffer.from(`${time} ${text}`);
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(payload.length, 4);
    return Buffer.concat([header, payload]);
  };

  test('is taken apart wherever its pieces are cut', async () => {
    const bytes = Buffer.concat([frame(1, 'hello\n'), frame(2, 'warning\n'), frame(1, ''), frame(1, 'bye')]);
    for (const size of [1, 3, 8, 11, bytes.length]) {
      const pieces: Buffer[] = [];
      for (let from = 0; from < bytes.length; from += size) pieces.push(bytes.subarray(from, from + size));
      const found = [];
      for await (const messages of engineFrames(Readable.from(pieces))) found.push(...messages);
      expect(found.map((each) => [each.source, each.time, each.bytes.toString()])).toEqual([
        ['out', time, 'hello\n'],
        ['err', time, 'warning\n'],
        ['out', time, ''],
        ['out', time, 'bye'],
      ]);
    }
  });
});
