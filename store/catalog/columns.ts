import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';

/** JSON in a text column. SQL's NULL stands for an absent field, the text `null` for JSON's null. */
export const toJson = (value: unknown): string | null =>
  value === undefined ? null : (JSON.stringify(value) ?? null);

/** The JSON of a column as it was written; only `toJson` writes these columns. */
export function fromJson<T>(text: string): T;
export function fromJson<T>(text: string | null): T | undefined;
export function fromJson<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}

/** A column's value, or undefined when it is NULL. */
export const orAbsent = <T>(value: T | null): T | undefined => value ?? undefined;

/** The record without the fields that are undefined: absent fields are absent, as the interface has them. */
export const present = <T extends object>(fields: { readonly [K in keyof T]-?: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

/** For `on conflict do update`: each of these columns takes the value the insert brought. */
export const excluded = <C extends string>(columns: readonly C[]): Record<C, RawBuilder<never>> =>
  Object.fromEntries(columns.map((column) => [column, sql.ref(`excluded.${column}`)])) as Record<
    C,
    RawBuilder<never>
  >;

/** In parts that stay below the number of parameters a statement may have. */
export function parts<T>(items: readonly T[], size = 500): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** The last item of each key, in order of first appearance: one statement must not write a row twice. */
export const lastByKey = <T>(items: readonly T[], key: (item: T) => string): readonly T[] => [
  ...new Map(items.map((item) => [key(item), item])).values(),
];
