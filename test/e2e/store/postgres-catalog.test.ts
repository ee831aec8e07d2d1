import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { isMillraceError } from '../../../sdk/errors.js';
import { isRefusedRow } from '../../../store/refused-row.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { describeWith } from '../../support/describe-with.js';
import { freePort } from '../../support/free-port.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import type { TestPostgres } from '../../support/start-postgres.js';
import { password, startPostgres } from '../../support/start-postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { catalogContract } from '../../unit/store/catalog-contract.js';
import { forkScript } from '../../unit/store/fork-script.js';
import { olderWorkerContract } from '../../unit/store/older-worker-contract.js';
import { aRun, aStep, at, aVersion } from '../../unit/store/records.js';

describeWith({ postgres: true }, 'A catalog on a PostgreSQL server', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });

  catalogContract('PostgreSQL', async () => openCatalog(await postgres.database()));

  olderWorkerContract('PostgreSQL', () => postgres.database());

  test('is made and written by several processes at once, and numbers versions without gap or double', async () => {
    const url = await postgres.database();
    const names = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6'];
    const answers = await forkScript(
      'catalog-child.ts',
      names.map((name) => [url, name, '25']),
    );
    const numbers = answers.flatMap((answer) => JSON.parse(answer) as number[]);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 150 }, (_, index) => index + 1));
    await using catalog = await openCatalog(url);
    for (const name of names) {
      expect(await catalog.steps(name)).toHaveLength(25);
      expect(await catalog.attempts(name)).toHaveLength(25);
    }
    expect((await catalog.runs({})).map(({ id }) => id).sort()).toEqual(names);
  });

  test('is made once by many that open an empty database at the same moment', async () => {
    const url = await postgres.database();
    const catalogs = await Promise.all(Array.from({ length: 10 }, () => openCatalog(url)));
    await catalogs[0]?.insertRun(aRun());
    for (const catalog of catalogs) expect(await catalog.run('run-1')).toEqual(aRun());
    await Promise.all(catalogs.map((catalog) => catalog[Symbol.asyncDispose]()));
  });

  test('does not make writers about one run wait for writers about another', async () => {
    const url = await postgres.database();
    await using catalog = await openCatalog(url);
    const { exclusive } = await import('../../../store/catalog/exclusive.js');
    const { openCatalogDatabase } = await import('../../../store/open-catalog-database.js');
    const { db } = await openCatalogDatabase(url);
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    let taken = false;
    const holder = exclusive(db, ['run busy'], async () => {
      taken = true;
      await held;
    });
    await waitFor(() => taken);
    let written = false;
    const waiting = catalog.project({ steps: [aStep({ run: 'busy' })] }).then(() => (written = true));
    await catalog.project({ steps: [aStep({ run: 'idle' })] });
    expect(written).toBe(false);
    release();
    await Promise.all([holder, waiting]);
    expect(await catalog.steps('busy')).toHaveLength(1);
    await db.destroy();
  });

  test('a row that it can never take is known as such, one that only came at a bad moment is not', async () => {
    await using catalog = await openCatalog(await postgres.database());
    const refused = async (work: Promise<unknown>) =>
      isRefusedRow(await work.catch((error: unknown) => error));
    const progress = 'half' as unknown as number;
    expect(await refused(catalog.project({ steps: [aStep({ progress })] }))).toBe(true);
    const name = undefined as unknown as string;
    expect(await refused(catalog.project({ steps: [aStep({ name })] }))).toBe(true);
    const noise = Array.from({ length: 3_000 }, (_, index) => Math.sin(index).toString(36)).join('');
    expect(await refused(catalog.insertRun(aRun({ tags: { a: noise } })))).toBe(true);
    expect(await catalog.run('run-1')).toBeUndefined();
  });

  test('names the place and never the password', async () => {
    const url = await postgres.database();
    await using catalog = await openCatalog(url);
    expect(catalog.location).toMatch(/^postgres:\/\/millrace@127\.0\.0\.1:\d+\/test_\d+$/);
  });

  describe('that cannot be opened says why within seconds:', () => {
    const cases: readonly [string, string, string, () => Promise<string>][] = [
      ['a wrong password', 'CONFIG_INVALID', 'user or password is wrong', async () => postgres.url().replace(/s3cret[^@]*/, 'wrong-s3cret')],
      ['no password', 'CONFIG_INVALID', 'it asks for a password', async () => postgres.url().replace(/:s3cret[^@]*/, '')],
      ['an unknown user', 'CONFIG_INVALID', 'user or password is wrong', async () => postgres.url().replace('millrace', 'nobody')],
      ['a missing database', 'CONFIG_INVALID', 'there is no such database', async () => postgres.url('absent')],
      ['a port where nothing listens', 'INFRASTRUCTURE_FAILED', 'nothing listens there', async () => postgres.url().replace(String(postgres.port), String(await freePort()))],
      ['an unknown host', 'INFRASTRUCTURE_FAILED', 'does not answer', async () => postgres.url().replace('127.0.0.1', 'host.invalid')],
      ['a host that is silent', 'INFRASTRUCTURE_FAILED', 'no answer within 5 s', async () => postgres.url().replace(String(postgres.port), String(await silentPort()))],
      ['TLS where there is none', 'CONFIG_INVALID', 'it does not speak TLS', async () => `${postgres.url()}?sslmode=verify-full`],
      ['a file of certificates that is not there', 'CONFIG_INVALID', 'ENOENT', async () => `${postgres.url()}?sslrootcert=/none/ca.pem`],
      ['something that is no URL', 'CONFIG_INVALID', 'cannot be read as a PostgreSQL URL', async () => 'postgres://millrace:s3cret/p@ss@[::/db'],
      ['a password that is not encoded', 'CONFIG_INVALID', 'an @ where none may be', async () => postgres.url().replace(encodeURIComponent(password), `x@y/${password}`)],
      ['a user who may not make tables', 'CONFIG_INVALID', 'permission denied', readerUrl],
    ]; // prettier-ignore
    test.each(cases)('%s', async (_name, code, says, url) => {
      const start = performance.now();
      const error: unknown = await openCatalog(await url()).catch((thrown: unknown) => thrown);
      expect(
        isMillraceError(error) && { code: error.code, message: error.message, hint: error.hint },
      ).toEqual({
        code,
        message: expect.stringContaining(says),
        hint: expect.stringMatching(/\w/),
      });
      expect(performance.now() - start).toBeLessThan(15_000);
      for (const text of everyText(error)) {
        expect(text).not.toContain('s3cret');
        expect(text).not.toContain(encodeURIComponent(password));
      }
    });

    async function readerUrl(): Promise<string> {
      const url = await postgres.database();
      await postgres.sql(url, `create role reader_${postgres.port} login password 'reader'`);
      return url.replace(/\/\/[^@]*@/, `//reader_${postgres.port}:reader@`);
    }
  });

  test('is patient with a server that restarts, and then says that it is gone', async () => {
    const server = await startPostgres();
    await using catalog = await openCatalog(await server.database());
    await catalog.insertRun(aRun());
    await server.kill();
    const writing = catalog.project({ steps: [aStep()] });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await server.start();
    await writing;
    expect(await catalog.steps('run-1')).toHaveLength(1);
    await server.kill();
    const error: unknown = await catalog.runs({}).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'INFRASTRUCTURE_FAILED',
      message: expect.stringContaining('does not answer: nothing listens there'),
    });
    expect(isRefusedRow(error)).toBe(false);
  });

  test('a connection that is cut while it is used fails that call alone', async () => {
    const url = await postgres.database();
    await using catalog = await openCatalog(url);
    const { exclusive } = await import('../../../store/catalog/exclusive.js');
    const { openCatalogDatabase } = await import('../../../store/open-catalog-database.js');
    const { db } = await openCatalogDatabase(url);
    const cut = exclusive(db, ['run a'], async (trx) => {
      await trx.insertInto('run_tags').values({ run: 'none', key: 'a', value: 'b' }).execute().catch(() => undefined);
      await postgres.sql(postgres.url(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${new URL(url).pathname.slice(1)}'`);
      await trx.selectFrom('runs').selectAll().execute();
    }); // prettier-ignore
    await expect(cut).rejects.toMatchObject({ code: 'INFRASTRUCTURE_FAILED' });
    await exclusive(db, ['run a'], async (trx) => trx.selectFrom('runs').selectAll().execute());
    await catalog.registerVersion(aVersion({ createdAt: at(1) }));
    await db.destroy();
  });
});

/** A server that takes connections and never says a word. */
async function silentPort(): Promise<number> {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  releaseAtEnd(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** All that a log or a report of an error could show. */
function everyText(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  const own = Object.getOwnPropertyNames(error).map((name) =>
    JSON.stringify((error as never as Record<string, unknown>)[name] ?? null),
  );
  return [String(error.stack), ...own, ...(error.cause === undefined ? [] : everyText(error.cause))];
}
