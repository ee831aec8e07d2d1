import { link, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { CheckpointPlace } from '../../../../activities/checkpoints/checkpoint-place.js';
import { checkpointStorer } from '../../../../activities/checkpoints/checkpoint-storer.js';
import { lookAtFolder } from '../../../../activities/checkpoints/look-at-folder.js';
import { pinFolder } from '../../../../activities/checkpoints/pin-folder.js';
import type { ArtifactStore, PutOptions } from '../../../../store/artifact-store.js';
import { startProgram } from '../../../support/run-program.js';
import { temporaryFolder } from '../../../support/temporary-folder.js';
import { waitFor } from '../../../support/wait-for.js';
import { anAttempt } from '../../store/records.js';
import { openHost, openShared, write } from './checkpoint-host.js';

const now = { calm: true };
const atEnd = { calm: false, last: true };

/** A storer of a new step, and what it has stored so far, newest first. */
async function storing({ maximum = 100_000, put }: { maximum?: number; put?: (put: ArtifactStore['put']) => ArtifactStore['put'] } = {}) {
  const shared = await openShared();
  const { store, catalog } = shared;
  const host = await openHost({ catalog, store: put ? { ...store, put: put(store.put) } : store });
  const place = await host.place();
  const storer = checkpointStorer(place, maximum);
  const stored = async () =>
    Promise.all(
      (await catalog.checkpoints.list('run-1', 'train')).map(async ({ digest }) => {
        const entries = await store.entries(digest);
        const texts = entries.map(async (entry) => [entry.path, await text(await store.read(entry.digest))]);
        return Object.fromEntries(await Promise.all(texts)) as Record<string, string>;
      }),
    );
  return { ...host, ...shared, place, storer, stored };
} // prettier-ignore

test('a checkpoint is stored with its folders, without what is being written, and not again while it stays as it is', async () => {
  const { place, storer, stored, timeline } = await storing();
  expect(await storer.store(now)).toBe('none');
  await write(place, { epoch: '1', 'deep/model': 'm', '.epoch': 'x', 'epoch.tmp': 'x', '.new/model': 'x', 'part.tmp/a': 'x' }); // prettier-ignore
  await symlink('deep', path.join(place.folder, 'checkpoint/latest'));
  expect(await storer.store(now)).toBe('stored');
  expect(await stored()).toEqual([{ epoch: '1', 'deep/model': 'm', 'latest/model': 'm' }]);
  expect(await storer.store(now)).toBe('none');
  await write(place, { epoch: '2' });
  expect(await storer.store(now)).toBe('stored');
  expect(await storer.store(atEnd)).toBe('none');
  expect((await stored()).map(({ epoch }) => epoch)).toEqual(['2', '1']);
  expect(await readdir(path.dirname(place.folder))).toEqual(['1', '1.work']);
  expect(await timeline()).toEqual([
    '1 checkpoint-stored: stored a checkpoint of 3 B',
    '1 checkpoint-stored: stored its last checkpoint of 3 B',
  ]);
});

test('a file that stays as it was is not read again, unless the store has lost it', async () => {
  const knowing: (readonly string[])[] = [];
  const { place, storer, catalog, store } = await storing({
    put:
      (put) =>
      (from, options: PutOptions = {}) => {
        knowing.push([...(options.known?.keys() ?? [])].sort());
        return put(from, options);
      },
  });
  await write(place, { 'epoch-1': 'a', 'epoch-2': 'b' });
  await storer.store(now);
  await write(place, { 'epoch-2': 'c', 'epoch-3': 'd' });
  await storer.store(now);
  expect(knowing).toEqual([[], ['epoch-1']]);
  for await (const { digest } of store.blobs()) await store.remove(digest);
  await write(place, { 'epoch-3': 'e' });
  await storer.store(now);
  const [newest] = await catalog.checkpoints.list('run-1', 'train');
  await expect(store.verify({ digest: newest!.digest, type: 'tree' })).resolves.toBeUndefined();
  expect((await store.entries(newest!.digest)).map(({ path }) => path)).toEqual([
    'epoch-1',
    'epoch-2',
    'epoch-3',
  ]);
});

test('what is written to in its place while it is read is not stored, and neither is what was written a moment ago', async () => {
  let meanwhile = () => Promise.resolve();
  const { place, storer, stored } = await storing({
    put: (put) => async (from, options) => {
      await meanwhile();
      return put(from, options);
    },
  });
  await write(place, { epoch: '1', model: 'one' });
  meanwhile = () => write(place, { model: 'two' });
  expect(await storer.store(now)).toBe('moving');
  meanwhile = () => Promise.resolve();
  await writeFile(path.join(place.folder, 'checkpoint/epoch'), '2');
  expect(await storer.store(now)).toBe('moving');
  expect(await stored()).toEqual([]);
  expect(await storer.store(atEnd)).toBe('stored');
  expect(await stored()).toEqual([{ epoch: '2', model: 'two' }]);
});

test('what is renamed, added or removed while it is read changes nothing of what is stored', async () => {
  const { place, storer, stored } = await storing({
    put: (put) => async (from, options) => {
      const at = (name: string) => path.join(place.folder, 'checkpoint', name);
      await write(place, { 'epoch.tmp': '2', added: 'x' });
      await rename(at('epoch.tmp'), at('epoch'));
      await rm(at('model'));
      return put(from, options);
    },
  });
  await write(place, { epoch: '1', model: 'one' });
  expect(await storer.store(now)).toBe('stored');
  expect(await stored()).toEqual([{ epoch: '1', model: 'one' }]);
});

test('of a program that saves hundreds of times a second what is stored is always one of its checkpoints', async () => {
  const { place, storer, stored } = await storing();
  const program = `
    import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
    const place = process.argv[1];
    for (let epoch = 1; ; epoch++) {
      const draft = mkdtempSync(place + '/.draft-');
      for (const name of ['model', 'optimizer', 'epoch']) writeFileSync(draft + '/' + name, String(epoch).repeat(1_000));
      const older = readdirSync(place).filter((name) => /^\\d+$/.test(name));
      renameSync(draft, place + '/' + epoch);
      for (const name of older) rmSync(place + '/' + name, { recursive: true });
      await new Promise((resolve) => setTimeout(resolve, 3));
    }`;
  const folder = path.join(place.folder, 'checkpoint');
  await mkdir(folder);
  await using running = startProgram(process.execPath, ['--input-type=module', '-e', program, folder]);
  await waitFor(async () => (await readdir(folder)).length > 0, { what: 'the program' });
  const seen = new Set<string>();
  await waitFor(
    async () => {
      if ((await storer.store(atEnd)) !== 'stored') return false;
      const [newest = {}] = await stored();
      // Of those being removed just then parts may be there: the one with the highest number is whole.
      const last = String(Math.max(...Object.keys(newest).map((name) => Number.parseInt(name, 10))));
      const texts = ['model', 'optimizer', 'epoch'].map((name) => newest[`${last}/${name}`]);
      expect(texts).toEqual(Array.from({ length: 3 }, () => last.repeat(1_000)));
      seen.add(last);
      return seen.size >= 5;
    },
    { what: 'five checkpoints', intervalMs: 5 },
  );
  expect(running.stderr()).toBe('');
});

test.each<[string, (place: CheckpointPlace) => Promise<void>, RegExp]>([
  ['is too large', (place) => write(place, { model: 'x'.repeat(100_001) }), /it has 97.7 KiB, more than the 97.7 KiB of `checkpoint.maximum`/],
  ['has a link that leads outside', (place) => symlink('/etc/passwd', path.join(place.folder, 'checkpoint/model')), /`model` cannot be stored: it is a link that leads outside/],
])('a checkpoint that %s is not stored, which is said once', async (_, spoil, words) => {
  const { place, storer, stored, timeline } = await storing();
  await write(place, { epoch: '1' });
  await spoil(place);
  expect(await storer.store(now)).toBe('failed');
  await write(place, { epoch: '2' });
  expect(await storer.store(atEnd)).toBe('failed');
  expect(await stored()).toEqual([]);
  expect(await timeline()).toEqual([expect.stringMatching(words)]);
}); // prettier-ignore

test('a store that is away is told of, and tried again', async () => {
  let away = true;
  const { place, storer, stored, timeline } = await storing({
    put: (put) => (from, options) =>
      away ? Promise.reject(new Error('connection refused')) : put(from, options),
  });
  await write(place, { epoch: '1' });
  expect(await storer.store(now)).toBe('failed');
  expect(await storer.store(now)).toBe('failed');
  away = false;
  expect(await storer.store(now)).toBe('stored');
  expect(await stored()).toEqual([{ epoch: '1' }]);
  expect(await timeline()).toEqual([
    expect.stringMatching(/checkpoint-not-stored: not stored: .*connection refused/),
    expect.stringContaining('checkpoint-stored'),
  ]);
});

test('an attempt that has lost its step stores nothing more', async () => {
  const { place, storer, stored, catalog } = await storing();
  await write(place, { epoch: '1' });
  expect(await storer.store(now)).toBe('stored');
  await catalog.project({ attempts: [anAttempt({ attempt: 2 })] });
  await write(place, { epoch: '2' });
  expect(await storer.store(atEnd)).toBe('superseded');
  expect(await stored()).toEqual([{ epoch: '1' }]);
});

test('a checkpoint folder that the program made a link is none', async () => {
  const { place, storer } = await storing();
  const elsewhere = await temporaryFolder();
  await writeFile(path.join(elsewhere, 'file'), 'x');
  await symlink(elsewhere, path.join(place.folder, 'checkpoint'));
  expect(await storer.store(atEnd)).toBe('none');
});

describe('pinning', () => {
  /** A folder with `a/file` inside, and one outside that has the very same file. */
  async function twins() {
    const [folder, outside] = [path.join(await temporaryFolder(), 'checkpoint'), await temporaryFolder()];
    await mkdir(path.join(folder, 'a'), { recursive: true });
    await writeFile(path.join(outside, 'file'), 'of the host');
    await link(path.join(outside, 'file'), path.join(folder, 'a/file'));
    const look = await lookAtFolder(folder);
    const pin = () => pinFolder(look!, { folder, target: `${folder}.pinned` });
    return { folder, outside, pin };
  }

  it('refuses a file of the host that a folder turned into a link leads to', async () => {
    const { folder, outside, pin } = await twins();
    await rename(path.join(folder, 'a'), path.join(folder, 'b'));
    await symlink(outside, path.join(folder, 'a'));
    await expect(pin()).rejects.toMatchObject({ code: 'UNSAFE_OUTPUT' });
  });

  it('refuses a file that was replaced or removed since', async () => {
    for (const change of ['replaced', 'removed']) {
      const { folder, pin } = await twins();
      await rename(path.join(folder, 'a/file'), path.join(folder, 'a/other'));
      if (change === 'replaced') await writeFile(path.join(folder, 'a/file'), 'of the host');
      await expect(pin()).rejects.toMatchObject({ code: change === 'removed' ? 'ENOENT' : 'UNSAFE_OUTPUT' });
    }
  });

  it('keeps what the program removes or renames afterwards', async () => {
    const { folder, pin } = await twins();
    await pin();
    await rename(folder, `${folder}.gone`);
    expect(await readdir(`${folder}.pinned/a`)).toEqual(['file']);
  });
});
