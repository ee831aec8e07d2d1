import fc from 'fast-check';
import { createMask } from '../../../activities/executors/secret-mask.js';

const masked = (secrets: readonly string[], pieces: readonly string[]): string => {
  const mask = createMask(secrets);
  return pieces.map((piece) => mask.write(piece)).join('') + mask.end();
};

describe('the mask of secrets', () => {
  test('hides a value, also one that comes in two pieces', () => {
    expect(masked(['hunter22'], ['user=x pass=hunter22 ok'])).toBe('user=x pass=*** ok');
    expect(masked(['hunter22'], ['pass=hun', 'ter22 ok'])).toBe('pass=*** ok');
  });

  test('shows what only began like a secret', () => {
    expect(masked(['hunter22'], ['a hunt', 'ing dog'])).toBe('a hunting dog');
    expect(masked(['hunter22'], ['ends with hunter'])).toBe('ends with hunter');
  });

  test('hides a value of several lines whole, by line, with CRLF and as JSON shows it', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n';
    expect(masked([key], [`got ${key}`])).toBe('got ***\n');
    expect(masked([key], ['> MIIEvQIBADANBg\n'])).toBe('> ***\n');
    expect(masked([key], [key.replaceAll('\n', '\r\n')])).toBe('***\r\n');
    expect(masked([key], [JSON.stringify({ key })])).toBe('{"key":"***\\n"}');
  });

  test('lets no tail of a longer secret through when a shorter one is its beginning', () => {
    expect(masked(['abc', 'abcdef'], ['-abc', 'def-'])).toBe('-***-');
  });

  test('hides nothing where there are no secrets or only blank ones', () => {
    expect(masked([], ['plain'])).toBe('plain');
    expect(masked(['', ' \n'], ['pl ai\nn'])).toBe('pl ai\nn');
  });

  test('gives the same however the text is cut', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 40 });
    const secret = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(secret, { maxLength: 3 }), letters, fc.nat(40), (secrets, text, at) => {
        const whole = masked(secrets, [text]);
        expect(masked(secrets, [text.slice(0, at), text.slice(at)])).toBe(whole);
        expect(masked(secrets, [...text])).toBe(whole);
      }),
    );
  });
});
