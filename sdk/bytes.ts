import { DefinitionInvalid } from './errors.js';

/** An amount of memory or disk: bytes, or a number with a unit: `'512MiB'`, `'4GiB'`, `'10GB'`. */
export type Bytes = number | string;

const units: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12,
  kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40,
  k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40,
}; // prettier-ignore

/** Bytes of a size. @throws DefinitionInvalid naming `option` when it is none. */
export function bytes(value: Bytes, option: string): number {
  const parsed = typeof value === 'number' ? value : parse(value);
  if (parsed === undefined || !Number.isFinite(parsed) || parsed < 0) {
    throw new DefinitionInvalid(
      `Expected \`${option}\` to be a size, got ${JSON.stringify(value)} (${typeof value}).`,
      {
        hint: "Give bytes as a number or a text like '512MiB', '4GiB'.",
      },
    );
  }
  return Math.round(parsed);
}

function parse(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text);
  const unit = units[match?.[2]?.toLowerCase() ?? ''];
  return match?.[1] === undefined || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** A size for people: `1.4 GiB`. */
export function formatBytes(size: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(names.length - 1, size < 1 ? 0 : Math.floor(Math.log2(size) / 10));
  const value = size / 2 ** (10 * power);
  return `${power === 0 ? value : value.toFixed(1)} ${names[power]}`;
}
