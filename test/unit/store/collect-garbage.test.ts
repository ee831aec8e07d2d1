import { mkdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ArtifactRef, Digest } from '../../../sdk/artifact.js';
import type { ArtifactStore } from '../../../store/artifact-store.js';
import type { Catalog } from '../../../store/catalog.js';
import type { GarbageOptions } from '../../../store/collect-garbage.js';
import { collectGarbage } from '../../../store/collect-garbage.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { encodeManifest } from '../../../store/tree-manifest.js';
import { touchArtifact } from '../../../store/touch-artifact.js';
import { valuesByReference } from '../../../store/values-by-reference.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aBuild, anAttempt, anEdge, aRun, aStep, aVersion } from './records.js';

const day = 24 * 3_600_000;
const ago = (days: number) => new Date(Date.now() - days * day).toISOString();

/** A store and a catalog; content is as old as it is made. */
async function garden() {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${folder}/store`);
  const catalog = valuesByReference(await openCatalog(`sqlite:${folder}/catalog.db`), store);
  const age = (digest: Digest, days: number) => {
    const time = new Date(Date.now() - days * day);
    return utimes(
      path.join(folder, 'store/v1/blobs/sha256', digest.slice(7, 9), digest.slice(9)),
      time,
      time,
    );
  };
  const file = async (content: string, days = 40): Promise<ArtifactRef> => {
    const stored = await store.putBytes(content);
    await age(stored.digest, days);
    return { $artifact: 'file', ...stored, name: 'f' };
  };
  const tree = async (contents: readonly string[], days = 40): Promise<ArtifactRef<'model'>> => {
    const made = path.join(await temporaryFolder(), 'tree');
    await mkdir(made);
    for (const content of contents) await writeFile(path.join(made, content), content);
    const stored = await store.put(made);
    for (const { digest } of [stored, ...(await store.entries(stored.digest))]) await age(digest, days);
    return { $artifact: 'model', ...stored, name: 'tree' };
  };
  const collect = (options: Partial<GarbageOptions> = {}) =>
    collectGarbage({ catalog, store, olderThanMs: 30 * day, ...options });
  const digests = async () => {
    const found = new Set<Digest>();
    for await (const { digest } of store.blobs()) found.add(digest);
    return found;
  };
  return { folder, store, catalog, age, file, tree, collect, digests };
}

type RunParts = {
  readonly days?: number;
  readonly parent?: string;
  readonly open?: boolean;
  readonly made?: ArtifactRef;
  readonly used?: ArtifactRef;
  readonly build?: string;
  readonly input?: unknown;
};

async function addRun(catalog: Catalog, id: string, parts: RunParts = {}): Promise<void> {
  const { days = 40, parent, open = false, made, used, build = 'build-1', input = {} } = parts;
  await catalog.insertRun(
    aRun({
      id,
      build,
      input,
      startedAt: ago(days),
      ...(parent !== undefined && { parent: { run: parent, path: 'sub' } }),
      ...(!open && { status: 'completed', closedAt: ago(days) }),
    }),
  );
  await catalog.project({
    steps: [aStep({ run: id })],
    attempts: [anAttempt({ run: id })],
    artifacts: [
      ...(made ? [anEdge({ run: id, artifact: made, at: ago(days) })] : []),
      ...(used ? [anEdge({ run: id, direction: 'input', artifact: used, at: ago(days) })] : []),
    ],
  });
}

describe('garbage collection', () => {
  it('removes old runs with what only they reach, and says so by reason', async () => {
    const { catalog, file, tree, collect, digests, store } = await garden();
    const [own, shared, log, youngOutput] = [
      await file('own'),
      await file('shared'),
      await file('log'),
      await file('young'),
    ];
    const folder = await tree(['a', 'b']);
    await addRun(catalog, 'old', { made: own, used: shared });
    await catalog.project({ attempts: [anAttempt({ run: 'old', attempt: 2, log: log.digest })] });
    await addRun(catalog, 'old-tree', { made: folder });
    await addRun(catalog, 'young', { days: 3, used: shared, made: youngOutput });
    const unused = await file('nobody asked');
    const fresh = await file('just uploaded', 0);

    const planned = await collect({ dryRun: true });
    expect(planned.runs).toEqual({ removed: ['old', 'old-tree'], kept: 1 });
    expect(planned.removed).toMatchObject({
      blobs: 6,
      byReason: {
        run: { blobs: 5, bytes: 8 + folderManifestSize(await store.entries(folder.digest)) },
        unused: { blobs: 1, bytes: 12 },
      },
    });
    expect(planned.kept.byReason).toMatchObject({
      run: { blobs: 2, bytes: 11 },
      young: { blobs: 1, bytes: 13 },
    });
    expect((await digests()).size).toBe(9);
    expect(await catalog.run('old')).toBeDefined();

    expect(await collect()).toEqual({ ...planned, dryRun: false, before: expect.any(String) });
    expect(await digests()).toEqual(new Set([shared.digest, youngOutput.digest, fresh.digest]));
    expect(await catalog.run('old')).toBeUndefined();
    expect(await catalog.steps('old')).toEqual([]);
    expect(await catalog.attempts('old')).toEqual([]);
    expect(await catalog.artifacts('old')).toEqual([]);
    expect(await catalog.artifacts('young')).toHaveLength(2);
    expect((await digests()).has(unused.digest)).toBe(false);
    expect((await collect()).removed.blobs).toBe(0);
  });

  it('keeps open runs, and trees of runs of which one is open, young or made a model', async () => {
    const { catalog, file, tree, collect } = await garden();
    await addRun(catalog, 'open', { open: true, made: await file('1') });
    await addRun(catalog, 'parent', { made: await file('2') });
    await addRun(catalog, 'parent.sub', { parent: 'parent', open: true });
    await addRun(catalog, 'young-child', { made: await file('3') });
    await addRun(catalog, 'young-child.sub', { parent: 'young-child', days: 2 });
    await addRun(catalog, 'model', { made: await file('4') });
    await addRun(catalog, 'model.sub', { parent: 'model' });
    await catalog.registerVersion({ ...aVersion({ run: 'model.sub' }), model: await tree(['weights']) });
    await addRun(catalog, 'gone', { made: await file('5') });
    await addRun(catalog, 'gone.sub', { parent: 'gone', made: await file('6') });
    const { runs, removed, kept } = await collect();
    expect([...runs.removed].sort()).toEqual(['gone', 'gone.sub']);
    expect(runs.kept).toBe(7);
    expect(removed.blobs).toBe(2);
    expect(kept.byReason).toMatchObject({ run: { blobs: 4 }, model: { blobs: 2 } });
  });

  it('keeps what a registered model was made from, run by run, as far back as it goes', async () => {
    const { catalog, file, collect } = await garden();
    const [raw, clean, side] = [await file('raw'), await file('clean'), await file('side')];
    await addRun(catalog, 'fetch', { made: raw });
    await addRun(catalog, 'fetch-again', { made: raw, days: 39 });
    await addRun(catalog, 'prepare', { used: raw, made: clean });
    await addRun(catalog, 'train', { used: clean });
    await addRun(catalog, 'look', { used: clean, made: side });
    await catalog.registerVersion({ ...aVersion({ run: 'train' }), model: { ...clean, $artifact: 'model' } });
    const { runs } = await collect();
    expect([...runs.removed].sort()).toEqual(['fetch-again', 'look']);
    expect((await catalog.run('fetch'))?.id).toBe('fetch');
  });

  it('keeps large values and what they name with their run, and removes those of runs that never began', async () => {
    const { catalog, file, collect, store, age, digests } = await garden();
    const inside = await file('inside');
    const value = { text: 'x'.repeat(200_000), inside };
    await addRun(catalog, 'open', { open: true, input: value });
    await addRun(catalog, 'old', { input: { text: 'y'.repeat(200_000) } });
    const never = await file('never');
    await catalog.garbage.hold([
      { run: 'never-began', digest: never.digest, type: 'file', size: 5, at: ago(40) },
    ]);
    for (const digest of await digests()) await age(digest, 40);
    const { removed } = await collect();
    expect(removed.byReason).toMatchObject({ run: { blobs: 1 }, unused: { blobs: 1 } });
    expect(await store.has(inside)).toBe(true);
    expect(await digests()).toHaveProperty('size', 2);
  });

  it('removes builds that were superseded long ago and have no run, never the current one', async () => {
    const { catalog, file, collect, digests } = await garden();
    const bundle = async (name: string) => (await file(name)).digest;
    const build = async (id: string, days: number) =>
      catalog.publishBuild(
        aBuild({
          id,
          createdAt: ago(days),
          workflowBundle: await bundle(`w${id}`),
          nodeBundle: await bundle(`n${id}`),
        }),
      );
    await build('b1', 60);
    await build('b2', 50);
    await build('b3', 45);
    await build('b4', 10);
    await addRun(catalog, 'of-b1', { build: 'b1', open: true });
    await addRun(catalog, 'of-b2', { build: 'b2' });
    const { builds, removed } = await collect();
    // b1 has an open run, b3 was current until ten days ago, b4 is.
    expect(builds.removed).toBe(1);
    expect(removed.byReason).toMatchObject({ build: { blobs: 2 } });
    expect(await catalog.build('b2')).toBeUndefined();
    expect((await digests()).size).toBe(6);
    expect((await collect({ olderThanMs: 0 })).builds.removed).toBe(1);
    expect((await catalog.currentBuild('millrace'))?.id).toBe('b4');
  });

  it('removes cached results with the run that made them, and keeps those of kept runs', async () => {
    const { catalog, store, collect, age, digests } = await garden();
    const entry = async (run: string, text: string) => {
      const key = (await store.putBytes(`key of ${run}`)).digest;
      const lease = { key, run, path: 'train', attempt: 1, token: run, at: ago(40), staleBefore: ago(50) };
      await catalog.cache.acquire(lease);
      await catalog.cache.commit(
        { key, run, path: 'train', step: 'train', pipeline: 'p', output: { text }, createdAt: ago(40) },
        run,
      );
      return key;
    };
    await addRun(catalog, 'old');
    await addRun(catalog, 'young', { days: 2 });
    const [gone, stays, lost] = [
      await entry('old', 'x'.repeat(200_000)),
      await entry('young', 'y'.repeat(200_000)),
      await entry('never-recorded', 'z'.repeat(200_000)),
    ];
    for (const digest of await digests()) await age(digest, 40);
    await collect();
    expect(await catalog.cache.entry(gone)).toBeUndefined();
    expect((await catalog.cache.entry(stays))?.output).toEqual({ text: 'y'.repeat(200_000) });
    expect((await catalog.cache.entry(lost))?.output).toEqual({ text: 'z'.repeat(200_000) });
    for (const digest of await digests()) await store.remove(digest);
    // A result whose value is lost is none.
    expect(await catalog.cache.entry(stays)).toBeUndefined();
  });

  it('leaves what is put, touched or named while it looks', async () => {
    const { catalog, file, tree, collect, store, digests } = await garden();
    const [put, named] = [await file('put again'), await file('named')];
    const touched = await tree(['t1', 't2']);
    const lost = await file('lost');
    /** Somebody works with the store between the look at all blobs and the removal. */
    const busy: ArtifactStore = {
      ...store,
      async *blobs(options) {
        yield* store.blobs(options);
        await store.putBytes('put again');
        expect(await touchArtifact(store, touched)).toBe(true);
        await addRun(catalog, 'new', { days: 0, open: true, used: named });
      },
    };
    const { removed, kept } = await collect({ store: busy });
    expect(removed.blobs).toBe(1);
    expect(kept.byReason).toMatchObject({ young: { blobs: 4 }, run: { blobs: 1 } });
    expect((await digests()).has(lost.digest)).toBe(false);
    for (const artifact of [put, named, touched]) await store.verify(artifact);
  });

  it('ends in the middle without harm, and the next one goes on', async () => {
    const { catalog, file, collect, store } = await garden();
    const kept: ArtifactRef[] = [];
    for (let n = 0; n < 10; n++) {
      await addRun(catalog, `old-${n}`, { made: await file(`old ${n}`) });
      kept.push(await file(`kept ${n}`));
      await addRun(catalog, `kept-${n}`, { days: 1, made: kept[n]! });
    }
    for (const after of [1, 3]) {
      let removed = 0;
      const dying: ArtifactStore = {
        ...store,
        remove: async (...given) => {
          if (++removed > after) throw new Error('killed');
          return store.remove(...given);
        },
      };
      await expect(collect({ store: dying })).rejects.toThrow('killed');
    }
    const { removed, runs } = await collect();
    expect(runs.kept).toBe(10);
    expect(removed.blobs).toBeGreaterThan(0);
    for (const artifact of kept) await store.verify(artifact);
  });
});

const folderManifestSize = (entries: Awaited<ReturnType<ArtifactStore['entries']>>) =>
  encodeManifest({ entries, emptyFolders: [] }).length;
