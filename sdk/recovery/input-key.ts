import { isArtifactRef } from '../artifact.js';

/**
 * A JSON value as a text that is the same for equal values, whatever the order of their keys. Of artifacts kind, type and digest
 * count, as for a content key: names and sizes do not.
 */
export function inputKey(value: unknown): string {
  if (isArtifactRef(value)) return `${value.$artifact} ${value.type} ${value.digest}`;
  if (Array.isArray(value)) return `[${value.map(inputKey).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([key, field]) => `${JSON.stringify(key)}:${inputKey(field)}`)
    .sort();
  return `{${fields.join(',')}}`;
}
