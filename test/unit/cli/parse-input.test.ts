import fc from 'fast-check';
import { parseInputFlags } from '../../../cli/parse-input.js';

describe('--input', () => {
  test('values are JSON where they parse, else text', () => {
    expect(
      parseInputFlags([
        'rows=100',
        'fast=true',
        'name=boosting',
        'kinds=["a","b"]',
        'seed=',
        'note=a=b',
        'none=null',
      ]).values,
    ).toEqual({
      rows: 100,
      fast: true,
      name: 'boosting',
      kinds: ['a', 'b'],
      seed: '',
      note: 'a=b',
      none: null,
    });
  });

  test('a value that JSON would take for a number can be given as text', () => {
    expect(parseInputFlags(['id="007"']).values).toEqual({ id: '007' });
  });

  test('objects and pairs merge, and what comes later wins', () => {
    expect(parseInputFlags(['{"a": 1, "b": {"c": 2}}', 'a=3', ' {"b": 4}']).values).toEqual({ a: 3, b: 4 });
  });

  test('key=@path is a file, and repeated it is several', () => {
    expect(parseInputFlags(['csv=@./hmda.csv', 'tables=@a', 'tables=@b c'])).toEqual({
      values: {},
      files: { csv: ['./hmda.csv'], tables: ['a', 'b c'] },
    });
  });

  test('of a value and a file for one key the later one counts', () => {
    expect(parseInputFlags(['a=1', 'a=@file'])).toEqual({ values: {}, files: { a: ['file'] } });
    expect(parseInputFlags(['a=@file', 'a=1'])).toEqual({ values: { a: 1 }, files: {} });
    expect(parseInputFlags(['a=@file', '{"a": 1}'])).toEqual({ values: { a: 1 }, files: {} });
  });

  test('a text that begins with @ is given in JSON', () => {
    expect(parseInputFlags(['{"handle": "@ada"}', 'other="@bob"'])).toEqual({
      values: { handle: '@ada', other: '@bob' },
      files: {},
    });
  });

  test.each([
    ['{"rows": 100', 'is no JSON object'],
    ['rows', 'key=value'],
    ['@file.json', 'key=value'],
    ['=3', 'key=value'],
    ['[1]', 'key=value'],
    ['csv=@', 'names no file'],
  ])('%s is refused with a sentence', (flag, says) => {
    expect(() => parseInputFlags([flag])).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(says) }),
    );
  });

  test('a key named like a part of every object is an ordinary key', () => {
    const { values } = parseInputFlags(['__proto__=1']);
    expect(Object.keys(values)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['1']).toBeUndefined();
  });

  test('any JSON value comes through a pair as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(parseInputFlags([`key=${text}`]).values).toEqual({ key: JSON.parse(text) as unknown });
      }),
    );
  });
});
