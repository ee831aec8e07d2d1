import { DefinitionInvalid } from './errors.js';

/** A time span: milliseconds, or a number with a unit: `'250ms'`, `'90s'`, `'5 minutes'`, `'1.5h'`, `'3 days'`. */
export type Duration = number | string;

const MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const unitNames: Readonly<Record<string, keyof typeof MS>> = {
  ms: 'ms', msec: 'ms', millisecond: 'ms', milliseconds: 'ms',
  s: 's', sec: 's', secs: 's', second: 's', seconds: 's',
  m: 'm', min: 'm', mins: 'm', minute: 'm', minutes: 'm',
  h: 'h', hr: 'h', hrs: 'h', hour: 'h', hours: 'h',
  d: 'd', day: 'd', days: 'd',
  w: 'w', week: 'w', weeks: 'w',
}; // prettier-ignore

/** Milliseconds of a duration. @throws DefinitionInvalid naming `option` when it is none. */
export function durationMs(value: Duration, option: string): number {
  const parsed = typeof value === 'number' ? value : parse(value);
  if (parsed === undefined || !Number.isFinite(parsed) || parsed < 0) {
    throw new DefinitionInvalid(
      `Expected \`${option}\` to be a duration, got ${JSON.stringify(value)} (${typeof value}).`,
      {
        hint: "Give milliseconds as a number or a text like '90s', '5 minutes', '2h'.",
      },
    );
  }
  return Math.round(parsed);
}

function parse(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text);
  const unit = unitNames[match?.[2]?.toLowerCase() ?? ''];
  return match?.[1] === undefined || unit === undefined ? undefined : Number(match[1]) * MS[unit];
}
