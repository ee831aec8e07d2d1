import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { bytes } from '../sdk/bytes.js';
import { durationMs } from '../sdk/duration.js';
import { withoutSecrets } from '../sdk/without-secrets.js';

/** How a setting is checked, from a config file (any value) or an environment variable (always text). */
export type SettingKind<T> = {
  /** Completes "expected …". */
  readonly expected: string;
  /** @param base the folder that relative paths start from */
  readonly schema: (base: string) => z.ZodType<T>;
  /** What a variable's text stands for, before the schema sees it. Default: itself. */
  readonly fromText?: (text: string) => unknown;
  /** Its value never appears in a message. */
  readonly secret?: true;
  /** What of a text may appear in a message. Default: all of it. */
  readonly shown?: (text: string) => string;
};

const numberFromText = (text: string): unknown => (/^\s*-?\d+(\.\d+)?\s*$/.test(text) ? Number(text) : text);

export const path: SettingKind<string> = {
  expected: 'a path',
  schema: (base) =>
    z
      .string()
      .min(1)
      .transform((value) => resolve(base, value)),
};

/** What may follow a scheme: a `path`, made absolute, or what a `url` has after `//`. */
export type Schemes = Readonly<Record<string, 'path' | 'url'>>;

/** `<scheme>:<path>` or `<scheme>://…`. The user and password of one never appear in a message. */
export const url = (schemes: Schemes): SettingKind<string> => ({
  expected: Object.entries(schemes)
    .map(([scheme, form]) => (form === 'path' ? `\`${scheme}:<path>\`` : `\`${scheme}://…\``))
    .join(' or '),
  schema: (base) =>
    z.string().transform((value, context) => {
      const [, scheme = '', rest = ''] = /^(\w+):(.+)$/s.exec(value) ?? [];
      const form = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined;
      if (form === 'path') return `${scheme}:${resolve(base, rest)}`;
      if (form === 'url' && rest.startsWith('//') && URL.canParse(value)) return value;
      context.addIssue({ code: 'custom' });
      return z.NEVER;
    }),
  shown: withoutSecrets,
});

/** `file:<path>`, made absolute, or `s3://<bucket>[/<prefix>]`, which the store looks at. */
export const storeUrl: SettingKind<string> = {
  expected: '`file:<path>` or `s3://<bucket>/<prefix>`',
  schema: (base) =>
    url({ file: 'path' })
      .schema(base)
      .or(z.string().regex(/^s3:\/\/[a-z0-9][a-z0-9.-]+[a-z0-9](\/\S*)?$/)),
};

/** Where a service is reached, without credentials. */
export const httpUrl: SettingKind<string> = {
  expected: '`http://<host>` or `https://<host>`, with a port where need be',
  schema: () => z.string().regex(/^https?:\/\/[^\s/@]+\/?$/),
};

/** Credentials go in by a secret's name, never in the address. */
const isPlainHttp = (value: string): boolean =>
  /^https?:\/\/[^\s/@]+(\/\S*)?$/.test(value) && URL.canParse(value);

/** An address that takes events, or a file they are appended to, made absolute. */
export const eventTarget: SettingKind<string> = {
  expected: '`http://…`, `https://…` or `file:<path>`',
  schema: (base) =>
    z
      .string()
      .refine((value) => /^file:.+/.test(value) || isPlainHttp(value))
      .transform((value) =>
        value.startsWith('file:') ? `file:${resolve(base, value.slice('file:'.length))}` : value,
      ),
  shown: withoutSecrets,
};

export const text = (expected: string, pattern: RegExp): SettingKind<string> => ({
  expected,
  schema: () => z.string().regex(pattern),
});

export const secret: SettingKind<string> = {
  expected: 'a text that is not empty',
  schema: () => z.string().min(1),
  secret: true,
};

export const address: SettingKind<string> = {
  expected: 'host:port',
  schema: () => z.string().refine(isAddress),
};

export const oneOf = <const T extends string>(values: readonly T[]): SettingKind<T> => ({
  expected: `one of ${values.join(', ')}`,
  schema: () => z.enum(values),
});

export const flag: SettingKind<boolean> = {
  expected: 'true or false',
  schema: () => z.boolean(),
  fromText: (value) => ({ true: true, false: false, '1': true, '0': false })[value.toLowerCase()] ?? value,
};

export const positive: SettingKind<number> = {
  expected: 'a number above 0',
  schema: () => z.number().positive(),
  fromText: numberFromText,
};

export const count: SettingKind<number> = {
  expected: 'a whole number from 0',
  schema: () => z.number().int().nonnegative(),
  fromText: numberFromText,
};

export const port: SettingKind<number> = {
  expected: 'a port from 1 to 65535',
  schema: () => z.number().int().min(1).max(65_535),
  fromText: numberFromText,
};

/** Bytes. */
export const size: SettingKind<number> = {
  expected: "a size above 0: bytes, or a text like '4GiB'",
  schema: () => converted((value) => bytes(value, 'size')).refine((value) => value > 0),
  fromText: numberFromText,
};

/** Milliseconds. */
export const duration: SettingKind<number> = {
  expected: "a duration: milliseconds, or a text like '10 s'",
  schema: () => converted((value) => durationMs(value, 'duration')),
  fromText: numberFromText,
};

const converted = (convert: (value: number | string) => number): z.ZodType<number> =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    try {
      return convert(value);
    } catch {
      context.addIssue({ code: 'custom' });
      return z.NEVER;
    }
  });

function isAddress(value: string): boolean {
  const match = /^(?:\[(?<ip>[^\]]+)\]|(?<host>[^\s:/[\]]+)):(?<port>\d{1,5})$/.exec(value);
  const { ip, port: number } = match?.groups ?? {};
  return (
    match !== null && (ip === undefined || isIP(ip) === 6) && Number(number) >= 1 && Number(number) <= 65_535
  );
}
