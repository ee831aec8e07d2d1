import { parseSince } from '../../../cli/parse-since.js';
import { parseTags } from '../../../cli/parse-tags.js';

const now = new Date('2026-11-24T12:00:00Z');

describe('--tag', () => {
  test('pairs become one record; values may hold anything', () => {
    expect(parseTags(['team=risk', 'note=a=b c', 'empty=', 'team=credit'])).toEqual({
      team: 'credit',
      note: 'a=b c',
      empty: '',
    });
  });

  test.each(['team', '=risk', 'a b=c', ''])('%p is refused', (flag) => {
    expect(() => parseTags([flag])).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('--since', () => {
  test.each([
    ['2h', '2026-11-24T10:00:00.000Z'],
    ['90s', '2026-11-24T11:58:30.000Z'],
    ['3 days', '2026-11-21T12:00:00.000Z'],
    ['2026-11-01', '2026-11-01T00:00:00.000Z'],
    ['2026-11-01T09:30:00Z', '2026-11-01T09:30:00.000Z'],
    ['2026-11-01T09:30:00+02:00', '2026-11-01T07:30:00.000Z'],
  ])('%s is %s', (text, expected) => {
    expect(parseSince(text, now)).toBe(expected);
  });

  test.each(['yesterday', '2', '', '2026-13-45', '2x'])('%p is refused', (text) => {
    expect(() => parseSince(text, now)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('--since') }),
    );
  });
});
