import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import type { PoolClient } from 'pg';
import { Pool, types } from 'pg';
import { withoutNul } from '../without-nul.js';
import { isConnectionLost, openingError, postgresError } from './postgres-errors.js';
import type { PostgresPlace } from './postgres-url.js';

/** Connections of one process: a fleet of twenty workers stays below PostgreSQL's default of a hundred. */
const mostConnections = 4;
/** After which a server that says nothing counts as unreachable. */
const connectMs = 5_000;
/** After which a statement that got no answer is given up, and its connection with it. */
const answerMs = 60_000;
/** A catalog that was there before may be restarting: a connection is asked for this long. */
const patienceMs = 15_000;

/**
 * The pool as Kysely uses it. A connection that broke is never used again; its error names the place, never the password. What
 * is asked before anything was done is asked again while PostgreSQL restarts; what was under way fails, for its caller to repeat.
 */
export function postgresPool({ url, location }: PostgresPlace): PostgresPool {
  const pool = new Pool({
    connectionString: url,
    max: mostConnections,
    connectionTimeoutMillis: connectMs,
    idleTimeoutMillis: 30_000,
    query_timeout: answerMs,
    keepAlive: true,
    application_name: 'millrace',
    types: { getTypeParser: parserOf },
  });
  // A connection that breaks while nobody waits for it must not end the process; the pool drops it.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  let opened = false;

  async function connect(): Promise<PoolClient> {
    const start = performance.now();
    for (let pause = 50; ; pause = Math.min(pause * 2, 1_000)) {
      try {
        const client = await pool.connect();
        opened = true;
        return client;
      } catch (error) {
        const permanent = opened ? undefined : openingError(error, location);
        if (!opened || performance.now() - start > patienceMs)
          throw permanent ?? postgresError(unanswered(error), location);
      }
      await sleep(pause);
    }
  }

  return {
    end: () => pool.end(),
    async connect(): Promise<PostgresPoolClient> {
      const client = await connect();
      let broken: Error | undefined;
      const query = async (sql: string, parameters: readonly unknown[]): Promise<unknown> => {
        if (broken) throw postgresError(broken, location);
        try {
          return await client.query(sql, parameters.map(withoutNul));
        } catch (error) {
          if (isConnectionLost(error)) broken = error as Error;
          throw postgresError(error, location);
        }
      };
      return {
        query: query as PostgresPoolClient['query'] & (() => Promise<PostgresQueryResult<never>>),
        release: () => client.release(broken),
      };
    },
  };
}

/** The driver's words for a server that took the connection and then said nothing. */
function unanswered(error: unknown): unknown {
  const silent = /timeout/i.test((error as Partial<Error>).message ?? '');
  return silent ? new Error(`no answer within ${connectMs / 1000} s`, { cause: error }) : error;
}

const numbers: ReadonlySet<number> = new Set([types.builtins.INT8, types.builtins.NUMERIC]);

/** Whole numbers of 64 bits and sums come as numbers, as SQLite gives them: no column holds more than 2⁵³. */
const parserOf = (oid: number): ((value: string) => unknown) =>
  numbers.has(oid) ? Number : types.getTypeParser(oid);
