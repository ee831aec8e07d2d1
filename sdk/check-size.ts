import { formatBytes } from './bytes.js';
import { ValueTooLarge } from './errors.js';
import type { ErrorPlace } from './errors.js';

/**
 * Most bytes of one JSON value. From `inlineValue` on it travels by reference; but replaying it must fit well into the ten
 * seconds of a workflow task, and this much takes three.
 */
export const largestValue = 32 * 2 ** 20;
/** Bytes of JSON from which on a value is kept in the artifact store, and Temporal and the catalog hold its digest. */
export const inlineValue = 128 * 2 ** 10;

/** @throws ValueTooLarge saying which value it is, how large, and which of its fields is the largest */
export function checkSize(value: unknown, what: string, place: ErrorPlace = {}): void {
  const json = JSON.stringify(value) ?? '';
  // No text of a third as many letters can be too large, and nearly all are shorter.
  if (json.length * 3 <= largestValue) return;
  const size = utf8Length(json);
  if (size <= largestValue) return;
  const field = largestField(value);
  const named = field ? `; its largest field, \`${field.name}\`, takes ${field.size}` : '';
  throw new ValueTooLarge(
    `${what} is ${size} bytes as JSON, more than the ${largestValue} (${formatBytes(largestValue)}) that a run may pass on${named}.`,
    {
      ...place,
      fields: { size, limit: largestValue, ...(field && { field: field.name, fieldSize: field.size }) },
      hint: field
        ? `Make \`${field.name}\` an artifact: a file or folder that travels by its digest.`
        : 'Make it an artifact: a file or folder that travels by its digest.',
    },
  );
}

/** Bytes of a value as JSON. */
export const jsonSize = (value: unknown): number => utf8Length(JSON.stringify(value) ?? '');

function largestField(value: unknown): { readonly name: string; readonly size: number } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value)
    .map(([name, field]) => ({ name, size: jsonSize(field) }))
    .sort((a, b) => b.size - a.size)[0];
}

/** Neither Buffer nor TextEncoder is there where pipelines are replayed. */
function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    // A surrogate pair is two units here and four bytes there.
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return bytes;
}
