import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { engineFrames } from '../../../activities/executors/engine-frames.js';
import { openOutputLog } from '../../../activities/executors/output-log.js';
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
