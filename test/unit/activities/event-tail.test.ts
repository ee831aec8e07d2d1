import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { tailEvents } from '../../../activities/event-tail.js';
import type { StepEvent } from '../../../sdk/step-contract.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const metric = (name: string, value: number): string => JSON.stringify({ type: 'metric', name, value });
const message = (text: string): string => JSON.stringify({ type: 'message', level: 'info', text });

async function tail(intervalMs = 10_000) {
  const file = path.join(await temporaryFolder(), 'events.jsonl');
  const events: StepEvent[] = [];
  const garbage: string[] = [];
  const tailing = tailEvents(file, {
    onEvent: (event) => events.push(event),
    onGarbage: (line) => garbage.push(line),
    intervalMs,
  });
  return { file, events, garbage, end: () => tailing[Symbol.asyncDispose]() };
}

test('events are seen while the file grows, half lines when they are whole', async () => {
  const { file, events, end } = await tail(5);
  await writeFile(file, `${metric('loss', 1)}\n${metric('loss', 2).slice(0, 10)}`);
  await waitFor(() => events.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(events).toHaveLength(1);
  await appendFile(file, `${metric('loss', 2).slice(10)}\n`);
  await waitFor(() => events.length === 2);
  await end();
  expect(events).toEqual([
    { type: 'metric', name: 'loss', value: 1 },
    { type: 'metric', name: 'loss', value: 2 },
  ]);
});

test('the last line counts without a line end', async () => {
  const { file, events, end } = await tail();
  await writeFile(file, `${metric('loss', 1)}\n${metric('loss', 2)}`);
  await end();
  expect(events).toHaveLength(2);
});

test('what is written up to the end is read, once, even when it is ended twice', async () => {
  const { file, events, end } = await tail(5);
  await writeFile(file, `${metric('loss', 1)}\n`);
  await waitFor(() => events.length === 1);
  await appendFile(file, `${metric('loss', 2)}\r\n\n${metric('loss', 3)}\n`);
  await end();
  await end();
  expect(events.map((event) => 'value' in event && event.value)).toEqual([1, 2, 3]);
});

test.each([0, 1, 2])('a character cut in two by the end of a read stays whole (%d)', async (shift) => {
  const { file, events, end } = await tail();
  // Reads are of 64 KiB and the characters of three bytes: of three shifts at most one puts the border between two.
  const texts = Array.from({ length: 8 }, () => `${'x'.repeat(shift)}${'漢'.repeat(9_000)}`);
  await writeFile(file, texts.map((text) => `${message(text)}\n`).join(''));
  await end();
  expect(events.map((event) => 'text' in event && event.text)).toEqual(texts);
});

test('a line that is no event is reported once, and the events around it count', async () => {
  const { file, events, garbage, end } = await tail();
  const lines = [
    'not json',
    '{"type":"metric","name":"loss"}',
    '[]',
    'null',
    '{"type":"sofa"}',
    metric('', 1),
  ];
  await writeFile(file, `${metric('a', 1)}\n${lines.join('\n')}\n${metric('b', 2)}\n`);
  await end();
  expect(garbage).toEqual(['not json']);
  expect(events.map((event) => 'name' in event && event.name)).toEqual(['a', 'b']);
});

test('a line without end does not fill the memory, and the events after it count', async () => {
  const { file, events, garbage, end } = await tail();
  await writeFile(file, `${'x'.repeat(300_000)}\n${metric('after', 1)}\n`);
  await end();
  expect(garbage).toHaveLength(1);
  expect(garbage[0]?.length).toBeLessThan(2 ** 17);
  expect(events).toEqual([{ type: 'metric', name: 'after', value: 1 }]);
});

test('no file is no event', async () => {
  const { events, garbage, end } = await tail(5);
  await end();
  expect([events, garbage]).toEqual([[], []]);
});

test.each(['', '{"settled":', '[]', '{"settled":-1,"told":"x"}'])(
  'a position that cannot be read, %j, is none: all is read, and then kept anew',
  async (text) => {
    const folder = await temporaryFolder();
    const [file, position] = [path.join(folder, 'events.jsonl'), path.join(folder, 'position')];
    await writeFile(position, text);
    await writeFile(file, `${metric('loss', 1)}\n`);
    const events: StepEvent[] = [];
    const options = {
      onEvent: (event: StepEvent) => events.push(event),
      onGarbage: () => undefined,
      position,
    };
    const tailing = tailEvents(file, { ...options, intervalMs: 10_000 });
    // A rejection that nobody handles would end this process by now.
    await new Promise((resolve) => setTimeout(resolve, 30));
    await tailing[Symbol.asyncDispose]();
    expect(events).toEqual([{ type: 'metric', name: 'loss', value: 1 }]);
    expect(JSON.parse(await readFile(position, 'utf8'))).toMatchObject({
      told: metric('loss', 1).length + 1,
    });
  },
);

test('a position that cannot be written keeps no event back', async () => {
  const folder = await temporaryFolder();
  const file = path.join(folder, 'events.jsonl');
  await mkdir(path.join(folder, 'position.new'));
  await writeFile(file, `${metric('loss', 1)}\n`);
  const events: StepEvent[] = [];
  const tailing = tailEvents(file, {
    onEvent: (event) => events.push(event),
    onGarbage: () => undefined,
    position: path.join(folder, 'position'),
  });
  await tailing[Symbol.asyncDispose]();
  expect(events).toHaveLength(1);
});
