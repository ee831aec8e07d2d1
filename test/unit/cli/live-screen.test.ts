import { liveScreen } from '../../../cli/render/live-screen.js';

/** A small terminal: it keeps a grid, and understands what the screen writes. */
function terminal(columns: number, rows = 10) {
  let lines: string[][] = [[]];
  let row = 0;
  let column = 0;
  let cursor = true;
  const writes: string[] = [];
  const line = () => (lines[row] ??= []);
  const put = (character: string) => {
    if (column === columns) {
      row += 1;
      column = 0;
    }
    line()[column] = character;
    column += 1;
  };
  const control = (parameter: string, command: string) => {
    if (command === 'A') row = Math.max(0, row - Number(parameter || 1));
    else if (command === 'K') line().length = Math.min(line().length, column);
    else if (command === 'J') {
      line().length = Math.min(line().length, column);
      lines.length = row + 1;
    } else if (parameter === '?25') cursor = command === 'h';
    else if (parameter !== '?2026') throw new Error(`unknown control ${parameter}${command}`);
  };
  return {
    rows,
    get columns() {
      return columns;
    },
    write(text: string) {
      writes.push(text);
      for (const [, parameter, command, character] of text.matchAll(/\p{Cc}\[(\??\d*)([A-Za-z])|([^])/gu)) {
        if (command !== undefined) control(parameter ?? '', command);
        else if (character === '\n') {
          row += 1;
          column = 0;
          line();
        } else if (character === '\r') column = 0;
        else put(character ?? '');
      }
    },
    writes,
    isCursorShown: () => cursor,
    text: () => lines.map((each) => Array.from(each, (character) => character ?? ' ').join('').trimEnd()).join('\n').trimEnd(), // prettier-ignore
    /** As terminals do it: long lines break anew. */
    narrow(to: number) {
      const before = lines.slice(0, row).map((each) => each.join('').trimEnd());
      columns = to;
      lines = before
        .flatMap((each) => each.match(new RegExp(`.{1,${to}}`, 'g')) ?? [''])
        .map((each) => [...each]);
      row = lines.length;
      column = 0;
      line();
    },
  };
}

test('each draw takes the place of the former one, in a single write', () => {
  const stream = terminal(20);
  stream.write('before\n');
  const screen = liveScreen(stream);
  screen.draw(['run', 'a running', 'b queued']);
  expect(stream.text()).toBe('before\nrun\na running\nb queued');
  screen.draw(['run', 'a']);
  expect(stream.text()).toBe('before\nrun\na');
  screen.draw(['run', 'a', 'b', 'c']);
  expect(stream.text()).toBe('before\nrun\na\nb\nc');
  expect(stream.writes).toHaveLength(4);
  screen.finish(['run', 'all done']);
  expect(stream.text()).toBe('before\nrun\nall done');
});

test('no line is emptied before its new text is there, so that nothing flickers', () => {
  const stream = terminal(20);
  using screen = liveScreen(stream);
  screen.draw(['one', 'two']);
  screen.draw(['one', 'three']);
  const frame = stream.writes.at(-1) ?? '';
  for (const wipe of ['\u001b[2J', '\u001b[2K']) expect(frame).not.toContain(wipe);
  expect(frame.indexOf('three')).toBeLessThan(frame.indexOf('\u001b[J'));
});

test('what is printed stays above, and the drawing below it', () => {
  const stream = terminal(20);
  const screen = liveScreen(stream);
  screen.draw(['run', 'a']);
  screen.print('note 1\nnote 2');
  expect(stream.text()).toBe('note 1\nnote 2\nrun\na');
  screen.draw(['run']);
  expect(stream.text()).toBe('note 1\nnote 2\nrun');
  screen.finish(['end']);
  stream.write('after\n');
  expect(stream.text()).toBe('note 1\nnote 2\nend\nafter');
});

test('a terminal that got narrower is drawn over whole, though its lines broke', () => {
  const stream = terminal(20);
  using screen = liveScreen(stream);
  stream.write('before\n');
  screen.draw(['0123456789abcdef', 'b']);
  stream.narrow(10);
  expect(stream.text()).toBe('before\n0123456789\nabcdef\nb');
  screen.draw(['01234567…', 'b']);
  expect(stream.text()).toBe('before\n01234567…\nb');
});

test('the cursor is hidden while it draws and comes back at the end, and when it is disposed midway', () => {
  const stream = terminal(20);
  const screen = liveScreen(stream);
  expect(stream.isCursorShown()).toBe(true);
  screen.draw(['a']);
  expect(stream.isCursorShown()).toBe(false);
  screen.finish(['a']);
  expect(stream.isCursorShown()).toBe(true);
  const listeners = process.listenerCount('exit');
  {
    using broken = liveScreen(stream);
    broken.draw(['b']);
    expect(process.listenerCount('exit')).toBe(listeners + 1);
  }
  expect(stream.isCursorShown()).toBe(true);
  expect(process.listenerCount('exit')).toBe(listeners);
});

test('the cursor comes back when the process ends in the middle', () => {
  const stream = terminal(20);
  const before = new Set(process.listeners('exit'));
  using screen = liveScreen(stream);
  screen.draw(['a']);
  const added = process.listeners('exit').filter((listener) => !before.has(listener));
  expect(added).toHaveLength(1);
  added[0]?.call(process, 1);
  expect(stream.isCursorShown()).toBe(true);
});
