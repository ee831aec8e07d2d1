import { ValueTooLarge } from './errors.js';
import type { ErrorPlace } from './errors.js';

/** Bytes of one JSON value that travels through Temporal: the service refuses 2 MB, and ends a run that tries. */
export const largestValue = 2 ** 20;

/** @throws ValueTooLarge saying which value it is and how large */
export function checkSize(value: unknown, what: string, place: ErrorPlace = {}): void {
  const size = utf8Length(JSON.stringify(value) ?? '');
  if (size <= largestValue) return;
  throw new ValueTooLarge(
    `${what} is ${size} bytes as JSON, more than the ${largestValue} that a run may pass on.`,
    {
      ...place,
      fields: { size, limit: largestValue },
      hint: 'Make it an artifact: a file or folder that travels by its digest.',
    },
  );
}

/** Neither Buffer nor TextEncoder is needed, and a text that cannot be too large costs nothing. */
function utf8Length(text: string): number {
  if (text.length * 3 <= largestValue) return text.length;
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    // A surrogate pair is two units here and four bytes there.
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return bytes;
}
