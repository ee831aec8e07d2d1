/** A time span for people: `320ms`, `3.2s`, `4m 05s`, `2h 03m`, `3d 04h`. */
export function formatDuration(ms: number): string {
  const span = Math.max(0, ms);
  if (span < 999.5) return `${Math.round(span)}ms`;
  if (span < 59_950) return `${(span / 1000).toFixed(1)}s`;
  const seconds = Math.round(span / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${two(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

/** `12:01:03`, in the time zone of the reader. */
export function formatClock(at: string): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
}

/** `2026-11-24 12:01:03`, in the time zone of the reader. */
export function formatTime(at: string): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${formatClock(at)}`;
}

/** Four significant digits, as far as there are any: `0.8123`, `12`, `1.5e-7`. */
export const formatNumber = (value: number): string => String(Number(value.toPrecision(4)));

const two = (value: number): string => String(value).padStart(2, '0');
