import { distance } from 'fastest-levenshtein';
import type { SettingKind } from './setting-kinds.js';

export type SettingsSources = {
  /** What the config file exports; undefined without one. */
  readonly file: Readonly<Record<string, unknown>> | undefined;
  readonly filePath: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Folders that relative paths start from. */
  readonly fileBase: string;
  readonly envBase: string;
};

export type ConfigProblem = {
  /** `worker.cpus`. */
  readonly setting: string;
  /** The config file's path or the variable's name. */
  readonly source: string;
  readonly message: string;
};

export type SettingsReader = {
  /** The setting as the environment or else the file gives it; undefined when neither does or it is wrong. */
  readonly read: <T>(setting: string, variable: string, kind: SettingKind<T>) => T | undefined;
  /** All that is wrong in what was read, and keys of the file that nothing read. Ask last. */
  readonly problems: () => readonly ConfigProblem[];
};

/** Reads settings one by one from the environment and a config file, and collects what is wrong with them. */
export function settingsReader(sources: SettingsSources): SettingsReader {
  const { file, filePath = '', env, fileBase, envBase } = sources;
  const known: string[] = [];
  const wrong: ConfigProblem[] = [];

  const check = <T>(
    value: unknown,
    kind: SettingKind<T>,
    { setting, source, base, given }: Where,
  ): T | undefined => {
    const result = kind.schema(base).safeParse(value);
    if (result.success) return result.data;
    const said = typeof given === 'string' ? (kind.shown?.(given) ?? given) : given;
    const got = kind.secret ? `a ${typeof given}` : shown(said);
    wrong.push({ setting, source, message: `expected ${kind.expected}, got ${got}` });
    return undefined;
  };

  return {
    read: (setting, variable, kind) => {
      known.push(setting);
      const text = env[variable];
      if (text !== undefined && text !== '') {
        const value = kind.fromText?.(text) ?? text;
        return check(value, kind, { setting, source: variable, base: envBase, given: text });
      }
      const value = at(file, setting);
      if (value === undefined) return undefined;
      return check(value, kind, { setting, source: filePath, base: fileBase, given: value });
    },
    problems: () => [
      ...wrong,
      ...unreadKeys(file, known).map((problem) => ({ ...problem, source: filePath })),
    ],
  };
}

type Where = {
  readonly setting: string;
  readonly source: string;
  readonly base: string;
  readonly given: unknown;
};
type Keys = Readonly<Record<string, unknown>>;

const isKeys = (value: unknown): value is Keys =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function at(file: Keys | undefined, setting: string): unknown {
  return setting
    .split('.')
    .reduce<unknown>(
      (value, key) => (isKeys(value) && Object.hasOwn(value, key) ? value[key] : undefined),
      file,
    );
}

function unreadKeys(
  file: Keys | undefined,
  known: readonly string[],
  prefix = '',
): readonly Omit<ConfigProblem, 'source'>[] {
  return Object.entries(file ?? {}).flatMap(([key, value]) => {
    const setting = prefix + key;
    if (value === undefined || known.includes(setting)) return [];
    const isGroup = known.some((name) => name.startsWith(`${setting}.`));
    if (isGroup && isKeys(value)) return unreadKeys(value, known, `${setting}.`);
    const message = isGroup
      ? `expected an object, got ${shown(value)}`
      : `there is no such setting, the nearest is \`${nearest(setting, known)}\``;
    return [{ setting, message }];
  });
}

/** By the whole name or by its last part, so that a key put in the wrong group is found as well. */
function nearest(setting: string, known: readonly string[]): string | undefined {
  const far = (name: string): number =>
    Math.min(distance(setting, name), distance(last(setting), last(name)) + 0.5);
  return known.toSorted((a, b) => far(a) - far(b))[0];
}

const last = (setting: string): string => setting.slice(setting.lastIndexOf('.') + 1);

function shown(value: unknown): string {
  const text =
    typeof value === 'string' || isKeys(value) || Array.isArray(value) ? json(value) : String(value);
  return `${text.length > 60 ? `${text.slice(0, 60)}…` : text} (${value === null ? 'null' : typeof value})`;
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}
