import { InvalidArgumentError } from 'commander';

/** For options that may be given several times. */
export const collect = (value: string, former: readonly string[] = []): readonly string[] => [
  ...former,
  value,
];

/** A whole number from 1. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('Expected a whole number from 1.');
}
