import canonicalize from 'canonicalize';
import type { Digest } from '../sdk/artifact.js';
import { digestOf } from './hash-file.js';

/**
 * Digest of a JSON value in its canonical form (RFC 8785): the same whatever the order of its keys and how its numbers and
 * texts were written.
 */
export const canonicalDigest = (value: unknown): Digest => digestOf(canonicalize(value) ?? 'null');
