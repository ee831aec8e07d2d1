import { checkSize, jsonSize, largestValue } from '../../../sdk/check-size.js';
import { ValueTooLarge } from '../../../sdk/errors.js';

test.each(['', 'plain', 'ä€😀\u0001"\\', { a: [1, null, 'é'], b: undefined }, 'ß'.repeat(200_000), null])(
  'the size of a value is that of its JSON in UTF-8',
  (value) => {
    expect(jsonSize(value)).toBe(Buffer.byteLength(JSON.stringify(value)));
  },
);

test('a value over the limit is refused with its name, place, size and largest field', () => {
  const table = 'r'.repeat(largestValue);
  const check = () =>
    checkSize({ n: 1, table, small: 'x' }, 'The input of step `train`', { run: 'r1', step: 'train#2' });
  expect(check).toThrow(ValueTooLarge);
  expect(check).toThrow(
    new RegExp(
      `^The input of step \`train\` is \\d+ bytes as JSON, more than the ${largestValue} \\(32.0 MiB\\) .*its largest field, \`table\`, takes ${largestValue + 2}\\. \\[run=r1 step=train#2\\] Make \`table\` an artifact`,
    ),
  );
});

test('a value that is no object has no field to name', () => {
  expect(() => checkSize('x'.repeat(largestValue + 1), 'The output of pipeline `p`')).toThrow(
    /may pass on\. Make it an artifact/,
  );
  expect(() => checkSize('x'.repeat(largestValue - 2), 'The output of pipeline `p`')).not.toThrow();
});
