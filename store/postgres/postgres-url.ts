import { Client } from 'pg';
import { ConfigInvalid } from '../../sdk/errors.js';

/** A PostgreSQL database as a URL names it. */
export type PostgresPlace = {
  readonly url: string;
  /** Where it is, for people: user, host, port and database, never the password. */
  readonly location: string;
};

export const isPostgresUrl = (url: string): boolean => /^postgres(ql)?:\/\//.test(url);

/**
 * Reads a URL as libpq's: `postgres://user:password@host:port/database?sslmode=…`; what it leaves out comes from PGHOST, PGUSER,
 * PGPASSWORD and so on.
 * @throws ConfigInvalid, which does not repeat the URL
 */
export function postgresPlace(url: string): PostgresPlace {
  if (strayAt.test(url)) throw unreadable('an @ where none may be', 'A / or @ in a password');
  try {
    // Only the client knows all defaults; it does not connect yet.
    const { user, host, port, database } = new Client({ connectionString: url });
    return { url, location: `postgres://${user ?? ''}@${host}:${port}/${database ?? ''}` };
  } catch (error) {
    // Neither the cause nor its message is kept: they may hold the URL with its password.
    const { code = 'no URL' } = error as NodeJS.ErrnoException;
    throw unreadable(code, 'A special character');
  }
}

/** A password with `/` or `?` that is not encoded ends the host too early: what follows would be shown as a database's name. */
const strayAt = /^\w+:\/\/[^/?#]*[/?#].*@/s;

const unreadable = (why: string, what: string): ConfigInvalid =>
  new ConfigInvalid(`The \`catalog\` cannot be read as a PostgreSQL URL: ${why}.`, {
    hint: `Expected postgres://user:password@host:5432/database. ${what} is percent-encoded; files it names must exist.`,
    fields: { option: 'catalog' },
  });
