import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePort } from './free-port.js';
import { realPart } from './real-parts.js';
import { releaseAtEnd } from './release-at-end.js';
import type { RunningProgram } from './run-program.js';
import { runProgram, startProgram } from './run-program.js';
import { waitFor } from './wait-for.js';

/** A password that has to be percent-encoded, so that tests see whether it appears anywhere. */
export const password = 's3cret/p@ss';

export type TestPostgres = {
  readonly port: number;
  /** URL of a database: `postgres` when none is named. */
  readonly url: (database?: string) => string;
  /** Makes an empty database of its own and gives its URL. */
  readonly database: () => Promise<string>;
  /** Runs SQL on a database. */
  readonly sql: (url: string, text: string) => Promise<readonly Record<string, unknown>[]>;
  /** Ends it at once, as a crash would. */
  readonly kill: () => Promise<void>;
  /** Starts it again on the same data and port. */
  readonly start: () => Promise<void>;
};

/** A PostgreSQL server of this test file's own, on a free port of the loopback address, with password sign-in. It ends with the file. */
export async function startPostgres(): Promise<TestPostgres> {
  const data = await mkdtemp(join(tmpdir(), 'millrace-postgres-'));
  releaseAtEnd(() => rm(data, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  await initialise(data);
  const port = await freePort();
  let server: RunningProgram | undefined;
  releaseAtEnd(() => stop(server));
  let count = 0;
  const url = (database = 'postgres') =>
    `postgres://millrace:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;

  const start = async (): Promise<void> => {
    const settings = ['fsync=off', 'listen_addresses=127.0.0.1', `unix_socket_directories=${data}`];
    const flags = settings.flatMap((setting) => ['-c', setting]);
    const running = startProgram(...asUser('postgres', ['-D', data, '-p', String(port), ...flags]));
    server = running;
    void running.ended.then(() => undefined);
    await waitFor(() => sql(url(), 'select 1'), {
      what: `PostgreSQL on port ${port}; it said ${running.stderr()}`,
    });
  };
  await start();
  return {
    port,
    url,
    async database() {
      const name = `test_${++count}`;
      await sql(url(), `create database ${name}`);
      return url(name);
    },
    sql,
    kill: () => stop(server),
    start,
  };
}

async function sql(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Text that sorts as people do, unlike bytes: the catalog must not go by it. */
const locale = ['--locale-provider=icu', '--icu-locale=en-US', '--encoding=UTF8', '--locale=C'];

async function initialise(data: string): Promise<void> {
  const secret = join(data, '..', `${data.split('/').at(-1)}.password`);
  await writeFile(secret, password, { mode: 0o644 });
  releaseAtEnd(() => rm(secret, { force: true }));
  if (process.getuid?.() === 0) await chown(data, await userId('-u'), await userId('-g'));
  const flags = ['-D', data, '-U', 'millrace', '--pwfile', secret, '--auth=scram-sha-256', '--no-sync'];
  const { exitCode, stderr } = await runProgram(...asUser('initdb', [...flags, ...locale]));
  if (exitCode !== 0) throw new Error(`initdb ended with ${exitCode}: ${stderr}`);
}

/** Root may not run PostgreSQL: Debian's package brings a user for it. */
function asUser(program: string, args: readonly string[]): [string, readonly string[]] {
  const part = realPart('postgres');
  if ('missing' in part) throw new Error(part.missing);
  const command = join(part.found, program);
  if (process.getuid?.() !== 0) return [command, args];
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', command, ...args]];
}

const userId = async (flag: string): Promise<number> =>
  Number((await runProgram('id', [flag, 'postgres'])).stdout);

/** SIGQUIT: no checkpoint, connections cut. */
async function stop(server: RunningProgram | undefined): Promise<void> {
  server?.kill('SIGQUIT');
  await server?.ended;
}
