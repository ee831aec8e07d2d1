import { UsageError } from './usage-error.js';

/** Reads `--tag k=v` options. @throws UsageError naming the one that is wrong */
export function parseTags(flags: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    flags.map((flag) => {
      const [, key, value] = /^([^=\s]+)=(.*)$/s.exec(flag) ?? [];
      if (key === undefined || value === undefined) {
        throw new UsageError(`Expected --tag to be key=value, got \`${flag}\`.`);
      }
      return [key, value];
    }),
  );
}
