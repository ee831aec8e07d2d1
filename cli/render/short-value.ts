import { digestPattern, isArtifactRef } from '../../sdk/artifact.js';
import { formatBytes } from '../../sdk/bytes.js';
import { plainLine, truncate } from './text-width.js';

/** A JSON value on a line, cut; an artifact by kind, name, size and the beginning of its digest. */
export function shortValue(value: unknown, columns = 60): string {
  if (isArtifactRef(value))
    return `${value.$artifact} ${plainLine(value.name)} (${formatBytes(value.size)}, ${shortDigest(value.digest)})`;
  if (Array.isArray(value) && value.length > 0 && value.every(isArtifactRef))
    return `[${value.map((ref) => shortValue(ref)).join(', ')}]`;
  if (typeof value === 'string')
    return digestPattern.test(value)
      ? shortDigest(value)
      : truncate(plainLine(JSON.stringify(value)), columns);
  return truncate(plainLine(JSON.stringify(value, shortRefs) ?? ''), columns);
}

const shortRefs = (_key: string, value: unknown): unknown =>
  isArtifactRef(value) ? `${value.$artifact} ${shortDigest(value.digest)}` : value;

const shortDigest = (digest: string): string => digest.slice(0, 'sha256:'.length + 12);
