import type { Digest } from './artifact.js';
import { digestPattern } from './artifact.js';

/** Stands in the catalog for a JSON value that is too large for a row: the digest of its JSON in the artifact store. */
export type StoredValue = {
  readonly $value: Digest;
  /** Bytes of the JSON. */
  readonly size: number;
};

export const isStoredValue = (value: unknown): value is StoredValue =>
  typeof value === 'object' &&
  value !== null &&
  Object.keys(value).length === 2 &&
  digestPattern.test(String((value as Partial<StoredValue>).$value)) &&
  typeof (value as Partial<StoredValue>).size === 'number';
