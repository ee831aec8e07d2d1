import { UsageError } from './usage-error.js';

/** What the --input options of one command line say, in order; what comes later wins. */
export type InputFlags = {
  readonly values: Readonly<Record<string, unknown>>;
  /** `key=@path`: files to upload, by field; several where the option was repeated. */
  readonly files: Readonly<Record<string, readonly string[]>>;
};

/**
 * Reads --input options: a JSON object, `key=value` (JSON where it parses, else text) or `key=@path` (a file or folder).
 * @throws UsageError naming the option that is wrong
 */
export function parseInputFlags(flags: readonly string[]): InputFlags {
  let values: Record<string, unknown> = {};
  let files: Record<string, readonly string[]> = {};
  for (const flag of flags) {
    if (flag.trimStart().startsWith('{')) {
      const object = parseObject(flag);
      values = { ...values, ...object };
      files = without(files, Object.keys(object));
      continue;
    }
    const { key, value } = splitPair(flag);
    if (value.startsWith('@')) {
      if (value === '@') throw new UsageError(`--input ${flag} names no file after the @.`);
      files = { ...files, [key]: [...(files[key] ?? []), value.slice(1)] };
      values = without(values, [key]);
    } else {
      values = { ...values, [key]: parseValue(value) };
      files = without(files, [key]);
    }
  }
  return { values, files };
}

function parseObject(flag: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(flag) as Record<string, unknown>;
  } catch (cause) {
    throw new UsageError(
      `--input begins with { and is no JSON object: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { hint: `Put it in single quotes: --input '{"rows": 100}'`, cause },
    );
  }
}

function splitPair(flag: string): { readonly key: string; readonly value: string } {
  const [, key, value] = /^([^=\s@]+)=(.*)$/s.exec(flag) ?? [];
  if (key !== undefined && value !== undefined) return { key, value };
  throw new UsageError(`Expected --input to be a JSON object, key=value or key=@path, got \`${flag}\`.`);
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const without = <T>(record: Readonly<Record<string, T>>, keys: readonly string[]): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
