import { DatabaseError } from 'pg';
import type { MillraceError } from '../../sdk/errors.js';
import { ConfigInvalid, InfrastructureFailed } from '../../sdk/errors.js';

/** The five letters and digits by which PostgreSQL names what is wrong, or Node's name of a network error. */
function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** Server messages that end the connection: shutdown, crash, start-up, too many connections, a time limit while idle. */
const endsConnection = /^(57P0\d|08\w{3}|53300|25P03)$/;

/**
 * Whether the connection is gone or cannot be used again, and nothing is wrong with what was asked: whatever is no answer of the
 * server and no mistake in a value. By name, since Node's own errors are of another realm in some contexts.
 */
export const isConnectionLost = (error: unknown): boolean =>
  error instanceof DatabaseError
    ? endsConnection.test(codeOf(error))
    : !['TypeError', 'RangeError'].includes((error as Partial<Error> | undefined)?.name ?? '');

/** Two transactions met in a way that one had to give up: the same again may go well. */
export const isTransactionConflict = (error: unknown): boolean =>
  error instanceof DatabaseError && (codeOf(error) === '40001' || codeOf(error) === '40P01');

/** What failed while a connection was made or used, as an error that names the place; the rest as it is. */
export function postgresError(error: unknown, location: string): unknown {
  if (!isConnectionLost(error)) {
    if (codeOf(error) !== '25006') return error;
    return new InfrastructureFailed(`The catalog ${location} takes no writes: it is a standby.`, {
      hint: 'Point `catalog` at the primary.',
      cause: error,
    });
  }
  return new InfrastructureFailed(`The catalog ${location} does not answer: ${reasonOf(error)}.`, {
    hint: 'Start PostgreSQL, or correct `catalog` (MILLRACE_CATALOG).',
    fields: { location },
    cause: error,
  });
}

/** Why a catalog cannot be opened, where the configuration is at fault and not the moment. */
export function openingError(error: unknown, location: string): MillraceError | undefined {
  const says = (what: string, hint: string) =>
    new ConfigInvalid(`The catalog ${location} cannot be opened: ${what}.`, {
      hint,
      fields: { location, code: codeOf(error) },
      cause: error,
    });
  const message = messageOf(error);
  switch (codeOf(error)) {
    case '28P01':
      return says('user or password is wrong', 'Correct them in `catalog`, PGPASSWORD or ~/.pgpass.');
    case '28000':
      return says(message, "Correct the user or `?sslmode=`, or the server's pg_hba.conf.");
    case '3D000':
      return says('there is no such database', 'Create it (`createdb`), or correct its name in `catalog`.');
    case '42501':
      return says(message, 'Its user must own the database, or may CREATE in its schema.');
    default:
  }
  if (/SASL|password must be a string/.test(message))
    return says('it asks for a password', 'Put one into `catalog`, PGPASSWORD or ~/.pgpass.');
  if (/does not support SSL/.test(message))
    return says('it does not speak TLS', 'Take `sslmode` out of `catalog`, or switch TLS on at the server.');
  if (/CERT|SELF_SIGNED|TLS_/.test(codeOf(error)))
    return says(
      message,
      'Name its authority with `?sslrootcert=<file>`, or use the name it is made out for.',
    );
  return undefined;
}

const messageOf = (error: unknown): string => (error as Partial<Error> | undefined)?.message ?? String(error);

/** Of a host with several addresses each gives its own error; their sum has no message. */
function reasonOf(error: unknown): string {
  const { errors: [first = error] = [] } = error as { readonly errors?: readonly unknown[] };
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nothing listens there',
    ENOENT: 'nothing listens there',
    ENOTFOUND: 'the host name is not known',
    EAI_AGAIN: 'the host name cannot be looked up',
    ECONNRESET: 'the connection was cut',
  };
  return known[codeOf(first)] ?? messageOf(first);
}
