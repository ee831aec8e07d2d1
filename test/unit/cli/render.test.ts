import { cropTree } from '../../../cli/render/crop-tree.js';
import { formatDuration, formatNumber } from '../../../cli/render/format.js';
import type { TreeRow } from '../../../cli/render/run-tree.js';
import { rowText } from '../../../cli/render/styled-row.js';
import { tableRows } from '../../../cli/render/table.js';
import { plainLine, plainText, textWidth, truncate, wrap } from '../../../cli/render/text-width.js';

test.each([
  [0, '0ms'],
  [999.4, '999ms'],
  [999.6, '1.0s'],
  [3_249, '3.2s'],
  [59_940, '59.9s'],
  [59_960, '1m 00s'],
  [245_000, '4m 05s'],
  [3_599_600, '1h 00m'],
  [7_380_000, '2h 03m'],
  [273_600_000, '3d 04h'],
  [-5, '0ms'],
])('%d ms are %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('numbers have four significant digits, as far as there are any', () => {
  expect([0.812345, 12, 123456, 1.5e-9, Number.NaN, -0.5].map(formatNumber)).toEqual([
    '0.8123', '12', '123500', '1.5e-9', 'NaN', '-0.5',
  ]); // prettier-ignore
});

test('width counts columns: wide characters two, joined ones once', () => {
  expect(['abc', 'é', 'e\u0301', '学習', '👩‍🔬', '✓', ''].map(textWidth)).toEqual([3, 1, 1, 4, 2, 1, 0]);
});

test('a text is cut to its columns, never inside a character', () => {
  expect(truncate('abcdef', 6)).toBe('abcdef');
  expect(truncate('abcdef', 4)).toBe('abc…');
  expect(truncate('学習学習', 6)).toBe('学習…');
  expect(truncate('abc', 0)).toBe('');
});

test('lines break at spaces, and words that are too long within', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('abcdefghij k', 4)).toEqual(['abcd', 'efgh', 'ij k']);
  expect(wrap('a\nb', 10)).toEqual(['a', 'b']);
});

test('control characters and direction marks of a text do not reach the terminal', () => {
  expect(plainText('\tat x\n')).toBe(' at x ');
  expect(plainLine('a\u001b[31mb\u001b[0m\tc\u0007\u202e\u009bd\n')).toBe('ab c d');
});

test('columns of a table are aligned', () => {
  const rows = tableRows(
    ['RUN', 'STATUS'],
    [
      [{ text: 'long-id' }, { text: 'ok' }],
      [{ text: '学' }, { text: 'no' }],
    ],
  );
  expect(rows.map(rowText)).toEqual(['RUN      STATUS', 'long-id  ok', '学       no']);
});

describe('a terminal with few rows', () => {
  const rows: TreeRow[] = [
    ['run', 'run'], ['done 1', 'closed'], ['failed', 'failed'], ['done 2', 'closed'], ['busy', 'open'], ['next', 'queued'],
  ].map(([text, about]) => ({ row: [{ text: text! }], about: about as TreeRow['about'] })); // prettier-ignore
  const shown = (max: number) => cropTree(rows, max).map(rowText);

  test('shows all of it where it fits', () => {
    expect(shown(6)).toEqual(['run', 'done 1', 'failed', 'done 2', 'busy', 'next']);
  });

  test('leaves out what is finished first and what runs last, and says how much', () => {
    expect(shown(5)).toEqual(['run', 'failed', 'busy', 'next', '   … 2 more finished']);
    expect(shown(4)).toEqual(['run', 'failed', 'busy', '   … 2 more finished, 1 more queued']);
    expect(shown(2)).toEqual(['run', '   … 2 more finished, 1 more queued, 1 more failed, 1 more running']);
    expect(shown(1)).toEqual(['run']);
    expect(shown(0)).toEqual([]);
  });
});
