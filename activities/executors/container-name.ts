import { createHash } from 'node:crypto';
import type { ExecutionIdentity } from './executor.js';

/** The engine lets one container only have a name: an attempt of one identity is never started twice. */
export function containerName({ installation, run, step, attempt, key }: ExecutionIdentity): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([installation, run, step, attempt, key]))
    .digest('hex')
    .slice(0, 16);
  // For people's eyes.
  const shown = step.replaceAll(/[^A-Za-z0-9_.-]+/g, '-').slice(0, 60);
  return `millrace-${shown}-${attempt}-${digest}`;
}
