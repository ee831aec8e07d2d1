import { durationMs } from '../sdk/duration.js';
import { UsageError } from './usage-error.js';

/**
 * Reads `--since`: a span back from now (`2h`, `3 days`) or a date (`2026-11-24`, `2026-11-24T09:30:00Z`).
 * @returns ISO 8601, UTC
 * @throws UsageError when it is neither
 */
export function parseSince(text: string, now = new Date()): string {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const date = new Date(text);
    if (!Number.isNaN(date.getTime())) return date.toISOString();
  }
  try {
    return new Date(now.getTime() - durationMs(text, '--since')).toISOString();
  } catch (cause) {
    throw new UsageError(
      `Expected --since to be a span like 2h or a date like 2026-11-24, got \`${text}\`.`,
      {
        cause,
      },
    );
  }
}
