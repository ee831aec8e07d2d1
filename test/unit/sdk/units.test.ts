import { bytes, formatBytes } from '../../../sdk/bytes.js';
import { durationMs } from '../../../sdk/duration.js';
import { DefinitionInvalid } from '../../../sdk/errors.js';

test.each([
  [250, 250], ['250ms', 250], ['0.5s', 500], ['90s', 90_000], ['1 second', 1_000], ['5 minutes', 300_000],
  ['5m', 300_000], ['1.5h', 5_400_000], [' 2 Hours ', 7_200_000], ['3 days', 259_200_000], ['1w', 604_800_000], [0, 0],
])('the duration %p is %d ms', (value, expected) => {
  expect(durationMs(value, 'timeout')).toBe(expected);
}); // prettier-ignore

test.each([
  '',
  '5',
  'minutes',
  '5 fortnights',
  '-5s',
  '1e3s',
  '5s 3ms',
  '1,5h',
  '5 constructor',
  -1,
  NaN,
  Infinity,
])('a duration of %p is refused, naming option, value and type', (value) => {
  expect(() => durationMs(value, 'timeout')).toThrow(DefinitionInvalid);
  expect(() => durationMs(value, 'timeout')).toThrow(
    `Expected \`timeout\` to be a duration, got ${JSON.stringify(value)} (${typeof value}). Give milliseconds`,
  );
});

test.each([
  [10, 10], ['1b', 1], ['10kB', 10_000], ['10GB', 1e10], ['512MiB', 2 ** 29], ['4 GiB', 2 ** 32], ['1.5g', 1.5 * 2 ** 30],
  ['2tib', 2 ** 41], ['3m', 3 * 2 ** 20], [0, 0],
])('the size %p is %d bytes', (value, expected) => {
  expect(bytes(value, 'memory')).toBe(expected);
}); // prettier-ignore

test.each(['', '5', 'GiB', '5 giga', '-5MB', '1e3b', '1,5g', '5 toString', -1, NaN, Infinity])(
  'a size of %p is refused, naming option, value and type',
  (value) => {
    expect(() => bytes(value, 'memory')).toThrow(DefinitionInvalid);
    expect(() => bytes(value, 'memory')).toThrow(
      `Expected \`memory\` to be a size, got ${JSON.stringify(value)} (${typeof value}). Give bytes`,
    );
  },
);

test.each([
  [0, '0 B'], [1023, '1023 B'], [1024, '1.0 KiB'], [1.4 * 2 ** 30, '1.4 GiB'], [2 ** 60, '1048576.0 TiB'],
])('%d bytes read %p', (size, expected) => {
  expect(formatBytes(size)).toBe(expected);
}); // prettier-ignore
