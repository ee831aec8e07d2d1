import { createHash } from 'node:crypto';

/** Of no meaning but its own: it keeps our ids apart from everybody else's. */
const namespace = Buffer.from('5f0c6a0e1d3b4b0e9a5c2f7d8e6b4a19', 'hex');

/**
 * The UUID (version 5) of a run, or of a step of one: OpenLineage wants UUIDs, and the same run must have the same one whoever
 * asks. @param path of the step
 */
export function openLineageRunId(run: string, path?: string): string {
  const name = path === undefined ? [run] : [run, path];
  const hash = createHash('sha1').update(namespace).update(JSON.stringify(name)).digest().subarray(0, 16);
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
