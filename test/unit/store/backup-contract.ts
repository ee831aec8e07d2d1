import { appendFile, chmod, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactRef } from '../../../sdk/artifact.js';
import { restoreBackup } from '../../../store/backup/restore-backup.js';
import { writeBackup } from '../../../store/backup/write-backup.js';
import type { Catalog } from '../../../store/catalog.js';
import { kyselyCatalog } from '../../../store/kysely-catalog.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalogDatabase } from '../../../store/open-catalog-database.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import {
  aBuild,
  aMetric,
  anApproval,
  anAttempt,
  anEdge,
  aRun,
  aStep,
  at,
  aVersion,
  digest,
} from './records.js';

export type Places = {
  /** Empty catalogs to back up from and to restore into. */
  readonly from: () => Promise<string> | string;
  readonly to: () => Promise<string> | string;
};

/** A state with something in each table and content of each kind. */
async function fill(url: string) {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${folder}/artifacts`);
  const { db, location } = await openCatalogDatabase(url);
  const catalog = kyselyCatalog(db, location);
  await mkdir(join(folder, 'tree/sub'), { recursive: true });
  await writeFile(join(folder, 'tree/sub/weights'), 'w'.repeat(3_000_000));
  await writeFile(join(folder, 'tree/run.sh'), 'echo');
  await chmod(join(folder, 'tree/run.sh'), 0o755);
  const model: ArtifactRef<'model'> = { $artifact: 'model', ...(await store.put(join(folder, 'tree'))), name: 'tree' };
  const table: ArtifactRef = { $artifact: 'dataset', ...(await store.putBytes('a,b\n')), name: 't.csv' };
  const report: ArtifactRef = { $artifact: 'report', ...(await store.putBytes('<p>')), name: 'r.html' };
  const [bundle, log, source] = [await store.putBytes('code'), await store.putBytes('log'), await store.put(join(folder, 'tree/sub'))];
  await catalog.publishBuild(aBuild({ workflowBundle: bundle.digest, nodeBundle: bundle.digest, steps: [{ name: 'train', source } as never] }));
  await catalog.insertRun(aRun({ tags: { team: 'ri\u2028sk', a: 'ä\n"\\' }, plan: { executor: 'docker', images: {} } }));
  await catalog.insertRun(aRun({ id: 'run-2', input: null, parent: { run: 'run-1', path: 'sub' }, status: 'failed', failure: { code: 'X', what: 'y' } }));
  await catalog.project({
    steps: [aStep({ progress: 0.1 + 0.2, output: { report }, detail: 'line\u2028two' }), ...Array.from({ length: 450 }, (_, index) => aStep({ path: `map#${index}` }))],
    attempts: [anAttempt({ image: digest('9'), log: log.digest, peakMemoryBytes: 2 ** 40, cpuSeconds: 1 / 3, wallSeconds: 2, gpuSeconds: 4 })],
    metrics: Array.from({ length: 700 }, (_, index) => aMetric({ index, value: 1 / (index + 1) })),
    artifacts: [anEdge({ artifact: model }), anEdge({ direction: 'input', field: 'table', artifact: table })],
  });
  await catalog.recordGate({ run: 'run-1', path: 'quality', outcome: { gate: 'quality', outcome: 'pass', checks: {} }, evidence: { report }, at: at(5) });
  await catalog.openApproval(anApproval({ of: { name: 'mortgage', version: 1, model } }));
  await catalog.registerVersion(aVersion({ model }));
  await catalog.setAlias({ run: 'run-1', path: 'promote', name: 'mortgage', version: 1, alias: 'champion', at: at(7) });
  return { db, catalog, store, model, table, report, log, bundle, source };
} // prettier-ignore

/** All that can be asked. */
async function everything(catalog: Catalog) {
  const runs = [...(await catalog.runs({})), ...(await catalog.runs({ parent: 'run-1' }))];
  return {
    runs,
    build: await catalog.currentBuild('millrace'),
    of: await Promise.all(
      runs.map(async ({ id }) => ({
        steps: await catalog.steps(id), attempts: await catalog.attempts(id), metrics: await catalog.metrics(id),
        artifacts: await catalog.artifacts(id), gates: await catalog.gates(id), approvals: await catalog.approvals({ run: id }),
      })),
    ),
    models: await catalog.models(),
  };
} // prettier-ignore

/** What backup and restore do, from one database to another. */
export function backupContract(name: string, places: Places): void {
  describe(`Backup and restore, ${name}`, () => {
    const backUp = async () => {
      const state = await fill(await places.from());
      const folder = join(await temporaryFolder(), 'backup');
      return { ...state, folder, done: await writeBackup({ ...state, folder }) };
    };
    const restoreTo = async (folder: string, options: { readonly url?: string; readonly partial?: boolean } = {}) => {
      const { db, location } = await openCatalogDatabase(options.url ?? (await places.to()));
      const store = await openArtifactStore(`file:${await temporaryFolder()}/artifacts`);
      const restore = () => restoreBackup({ db, location, store, folder, ...(options.partial && { partial: true }) });
      return { catalog: kyselyCatalog(db, location), store, restore, db };
    }; // prettier-ignore
    /** Where the local store of a backup keeps a blob. */
    const blobOf = (folder: string, of: string) =>
      join(folder, 'artifacts/v1/blobs/sha256', of.slice(7, 9), of.slice(9));

    it('give back every row and all content that rows reach, and nothing else', async () => {
      const state = await backUp();
      const { catalog, store, folder, done } = state;
      expect(done).toMatchObject({ lacking: [], copied: 8, content: { rows: 8 } });
      await store.putBytes('reached by nothing');
      const target = await restoreTo(folder);
      expect(await target.restore()).toMatchObject({ blobs: 8, copied: 8, damaged: [], lacking: [] });
      expect(await everything(target.catalog)).toEqual(await everything(catalog));
      for (const each of [state.model, state.table, state.report, state.log, state.bundle, state.source])
        await target.store.verify(each);
      expect((await target.store.entries(state.model.digest)).map(({ path, executable }) => [path, executable])).toEqual([['run.sh', true], ['sub/weights', false]]); // prettier-ignore
      expect(await readdir(folder)).toEqual(['artifacts', 'backup.json', 'catalog', 'content.txt']);
      // What the restored catalog takes from now on follows what it had.
      expect((await target.catalog.registerVersion(aVersion({ run: 'run-9' }))).version).toBe(2);
      await Promise.all([catalog, target.catalog].map((each) => each[Symbol.asyncDispose]()));
    });

    it('give the same bytes for the same catalog, and a backup of a restored state is the same one', async () => {
      const { catalog, folder } = await backUp();
      const target = await restoreTo(folder);
      await target.restore();
      const again = join(await temporaryFolder(), 'again');
      await writeBackup({ db: target.db, store: target.store, folder: again });
      for (const file of await readdir(join(folder, 'catalog')))
        expect([file, await readFile(join(again, 'catalog', file), 'utf8')]).toEqual([file, await readFile(join(folder, 'catalog', file), 'utf8')]); // prettier-ignore
      expect(await readFile(join(again, 'content.txt'), 'utf8')).toBe(await readFile(join(folder, 'content.txt'), 'utf8')); // prettier-ignore
      await Promise.all([catalog, target.catalog].map((each) => each[Symbol.asyncDispose]()));
    });

    it('bring an older backup up to date, and copy nothing twice', async () => {
      const { catalog, store, folder, db } = await backUp();
      const more = await store.putBytes('made since');
      const artifact: ArtifactRef = { $artifact: 'file', ...more, name: 'more' };
      await catalog.project({ artifacts: [anEdge({ path: 'later', artifact })] });
      expect(await writeBackup({ db, store, folder })).toMatchObject({ copied: 1, content: { rows: 9 } });
      const target = await restoreTo(folder);
      await target.store.putBytes('made since');
      expect(await target.restore()).toMatchObject({ blobs: 9, copied: 8 });
      await Promise.all([catalog, target.catalog].map((each) => each[Symbol.asyncDispose]()));
    });

    it('go on where they were interrupted, and leave an unfinished backup unusable', async () => {
      const { catalog, store, db, folder } = await backUp();
      const part = join(await temporaryFolder(), 'part');
      const stop = new AbortController();
      const onProgress = ({ done }: { readonly done: number }) => done === 3 && stop.abort();
      await expect(writeBackup({ db, store, folder: part, onProgress, signal: stop.signal })).rejects.toThrow('abort'); // prettier-ignore
      const early = await restoreTo(part);
      await expect(early.restore()).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('no finished backup') }); // prettier-ignore
      const done = await writeBackup({ db, store, folder: part });
      expect(done.copied).toBeLessThan(8);
      expect(done).toMatchObject({ content: { rows: 8 }, lacking: [] });

      const target = await restoreTo(folder);
      const again = new AbortController();
      const { db: to } = target;
      const interrupted = restoreBackup({ db: to, location: 'here', store: target.store, folder, signal: again.signal, onProgress: ({ done: count }) => count === 4 && again.abort() }); // prettier-ignore
      await expect(interrupted).rejects.toThrow('abort');
      expect(await target.catalog.runs({})).toEqual([]);
      expect((await target.restore()).copied).toBeLessThan(8);
      expect(await everything(target.catalog)).toEqual(await everything(catalog));
      await Promise.all([catalog, early.catalog, target.catalog].map((each) => each[Symbol.asyncDispose]()));
    });

    it('take the catalog as it stood at one moment, while others write', async () => {
      const url = await places.from();
      const { catalog, store, db } = await fill(url);
      const other = await openCatalogDatabase(url);
      const busy = kyselyCatalog(other.db, other.location);
      const stop = new AbortController();
      let count = 0;
      const writer = (async () => {
        // A step and its attempt always come together.
        for (; !stop.signal.aborted; count++) {
          const path = `late#${count}`;
          await busy.project({ steps: [aStep({ path })], attempts: [anAttempt({ path })] });
          // SQLite answers within the same turn: without a pause nothing else would come to its.
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      const folder = join(await temporaryFolder(), 'backup');
      const { tables } = await writeBackup({ db, store, folder });
      stop.abort();
      await writer;
      await busy[Symbol.asyncDispose]();
      expect(count).toBeGreaterThan(1);
      expect(tables['steps']!.rows - tables['attempts']!.rows).toBe(450);
      const target = await restoreTo(folder);
      await target.restore();
      await Promise.all([catalog, target.catalog].map((each) => each[Symbol.asyncDispose]()));
    });

    it('name what the store lacks or has damaged, and save all the rest', async () => {
      const { catalog, store, db, table, log } = await fill(await places.from());
      await store.remove(log.digest);
      const path = join(store.location, 'v1/blobs/sha256', table.digest.slice(7, 9), table.digest.slice(9));
      await chmod(path, 0o644);
      await writeFile(path, 'a;b\n');
      const folder = join(await temporaryFolder(), 'backup');
      const done = await writeBackup({ db, store, folder });
      expect(done).toMatchObject({ lacking: [log.digest, table.digest].sort(), content: { rows: 6 } });
      const target = await restoreTo(folder);
      expect(await target.restore()).toMatchObject({ lacking: done.lacking, blobs: 6 });
      expect(await everything(target.catalog)).toEqual(await everything(catalog));
      await Promise.all([catalog, target.catalog].map((each) => each[Symbol.asyncDispose]()));
    });

    it('refuse a backup with a flipped byte before the catalog is touched, and restore the rest of it on demand', async () => {
      const { catalog, folder, report } = await backUp();
      const blob = blobOf(folder, report.digest);
      await chmod(blob, 0o644);
      await writeFile(blob, '<q>');
      const target = await restoreTo(folder);
      await expect(target.restore()).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining(report.digest),
        fields: { damaged: [report.digest] },
      });
      expect(await target.catalog.runs({})).toEqual([]);
      const willing = await restoreTo(folder, { partial: true });
      expect(await willing.restore()).toMatchObject({ damaged: [report.digest], copied: 7 });
      expect(await everything(willing.catalog)).toEqual(await everything(catalog));

      const rows = join(folder, 'catalog/steps.jsonl');
      const text = await readFile(rows, 'utf8');
      await writeFile(rows, text.replace('running', 'ruining'));
      await expect(target.restore()).rejects.toThrow('steps.jsonl is not as it was written');
      await writeFile(rows, text.slice(0, -20));
      await expect(target.restore()).rejects.toThrow('steps.jsonl is not as it was written');
      await rm(rows);
      await expect(target.restore()).rejects.toThrow('steps.jsonl is not as it was written');
      await Promise.all([catalog, target.catalog, willing.catalog].map((each) => each[Symbol.asyncDispose]())); // prettier-ignore
    });

    it('refuse a catalog that holds something, a folder that is no backup, and a backup of a newer version', async () => {
      const { catalog, folder } = await backUp();
      const target = await restoreTo(folder);
      await target.catalog.insertRun(aRun({ id: 'mine' }));
      await expect(target.restore()).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('is not empty: its table runs has rows'), hint: expect.stringContaining('MILLRACE_CATALOG') }); // prettier-ignore
      expect((await target.catalog.runs({})).map(({ id }) => id)).toEqual(['mine']);
      const none = await restoreTo(await temporaryFolder());
      await expect(none.restore()).rejects.toThrow('holds no finished backup');
      const manifest = join(folder, 'backup.json');
      const newer = await restoreTo(folder);
      const written = JSON.parse(await readFile(manifest, 'utf8')) as { migrations: string[] };
      await writeFile(manifest, JSON.stringify({ ...written, migrations: [...written.migrations, '9999-later'] })); // prettier-ignore
      await expect(newer.restore()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('newer Millrace') }); // prettier-ignore
      await appendFile(manifest, 'x');
      await expect(newer.restore()).rejects.toThrow('is not of a backup that this version reads');
      await Promise.all([catalog, target.catalog, none.catalog, newer.catalog].map((each) => each[Symbol.asyncDispose]())); // prettier-ignore
    });
  });
}
