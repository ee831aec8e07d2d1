import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { openCatalog } from '../../../store/open-catalog.js';
import { catalogContract } from './catalog-contract.js';
import { forkScript } from './fork-script.js';
import { olderWorkerContract } from './older-worker-contract.js';
import { anAttempt, anEdge, aRun, aStep, aVersion } from './records.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-catalog-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const freshPath = () => join(folder, `${++count}`, 'state', 'catalog.db');

catalogContract('SQLite', () => openCatalog(`sqlite:${freshPath()}`));

olderWorkerContract('SQLite', () => `sqlite:${freshPath()}`);

describe('A catalog in an SQLite file', () => {
  it('is opened and written by several processes at once, and numbers versions without gap or double', async () => {
    const path = freshPath();
    const start = performance.now();
    const names = ['p1', 'p2', 'p3', 'p4'];
    const answers = await forkScript(
      'catalog-child.ts',
      names.map((name) => [`sqlite:${path}`, name, '40']),
    );
    // A second or two; a lock that is not let go at once makes it tens of seconds.
    expect(performance.now() - start).toBeLessThan(12_000);
    const numbers = answers.flatMap((answer) => JSON.parse(answer) as number[]);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 160 }, (_, index) => index + 1));
    await using catalog = await openCatalog(`sqlite:${path}`);
    for (const name of names) {
      expect(await catalog.steps(name)).toHaveLength(40);
      expect(await catalog.attempts(name)).toHaveLength(40);
    }
    expect((await catalog.runs({})).map(({ id }) => id).sort()).toEqual(names);
  }, 60_000);

  it('waits for another writer without stopping the event loop', async () => {
    const path = freshPath();
    await using catalog = await openCatalog(`sqlite:${path}`);
    const other = new Database(path);
    other.exec('begin immediate');
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    let done = false;
    const writing = catalog.insertRun(aRun()).finally(() => (done = true));
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(done).toBe(false);
    other.exec('commit');
    expect(await writing).toBe(true);
    clearInterval(timer);
    other.close();
    expect(longest).toBeLessThan(100);
  });

  it('lets two writers of one process take turns', async () => {
    const path = freshPath();
    await using one = await openCatalog(`sqlite:${path}`);
    await using two = await openCatalog(`sqlite:${path}`);
    const versions = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        (index % 2 ? one : two).registerVersion(aVersion({ run: `run-${index}` })),
      ),
    );
    expect(new Set(versions.map(({ version }) => version)).size).toBe(60);
    expect(await one.model('mortgage')).toEqual(await two.model('mortgage'));
  });

  it('keeps what was written when it is opened again', async () => {
    const url = `sqlite:${freshPath()}`;
    {
      await using catalog = await openCatalog(url);
      await catalog.insertRun(aRun());
    }
    await using again = await openCatalog(url);
    expect(await again.run('run-1')).toEqual(aRun());
  });

  it('refuses a catalog that a newer program wrote', async () => {
    const path = freshPath();
    await (await openCatalog(`sqlite:${path}`))[Symbol.asyncDispose]();
    const file = new Database(path);
    file.prepare(`insert into millrace_migrations values ('9999-later', '2030-01-01T00:00:00.000Z')`).run();
    file.close();
    await expect(openCatalog(`sqlite:${path}`)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('newer Millrace'),
    });
  });

  it('says so when the file is something else, or the address of another kind', async () => {
    const path = join(folder, 'notes.txt');
    writeFileSync(path, 'not a database, but long enough to be looked at as one '.repeat(40));
    await expect(openCatalog(`sqlite:${path}`)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(openCatalog('mysql://me:secret@host/db')).rejects.toThrow(
      'Expected `catalog` to be `sqlite:<path>` or `postgres://…`, got "mysql:…@host/db".',
    );
    await expect(openCatalog('sqlite:')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('projects a step in about a millisecond', async () => {
    await using catalog = await openCatalog(`sqlite:${freshPath()}`);
    const times: number[] = [];
    for (let index = 0; index < 200; index++) {
      const place = { run: 'run-1', path: `train#${index}` };
      const start = performance.now();
      await catalog.project({
        steps: [aStep(place)],
        attempts: [anAttempt(place)],
        artifacts: [anEdge({ ...place, field: 'a' }), anEdge({ ...place, field: 'b' })],
      });
      times.push(performance.now() - start);
    }
    // The bound leaves room for a busy machine; quiet, the median is below one.
    expect(times.sort((a, b) => a - b)[100]).toBeLessThan(5);
    if (process.env['MILLRACE_SHOW_TIMES']) console.log(times[100]);
  });
});
