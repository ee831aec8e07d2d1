const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** A time span in its largest unit that it has one of: `50 ms`, `1.5 h`. */
export function formatSpan(ms: number): string {
  const [unit, size] = units.find(([, each]) => ms >= each) ?? ['ms', 1];
  return `${Number((ms / size).toPrecision(3))} ${unit}`;
}
