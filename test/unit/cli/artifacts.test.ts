import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ArtifactRef, Digest } from '../../../sdk/artifact.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { runCli } from '../../support/run-cli.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { anEdge, aRun, aStep } from '../store/records.js';

/** A project whose one run made a file from an upload, and a folder. */
async function project() {
  const cwd = await temporaryFolder();
  await writeFile(path.join(cwd, 'package.json'), '{"name":"p","type":"module"}');
  const store = await openArtifactStore(`file:${cwd}/.millrace/artifacts`);
  await using catalog = await openCatalog(`sqlite:${cwd}/.millrace/catalog.db`);
  const folder = path.join(await temporaryFolder(), 'model');
  await mkdir(path.join(folder, 'bin'), { recursive: true });
  await writeFile(path.join(folder, 'weights'), 'w'.repeat(2_000));
  await writeFile(path.join(folder, 'bin/run'), '#!/bin/sh\n');
  await chmod(path.join(folder, 'bin/run'), 0o755);
  const table: ArtifactRef = {
    $artifact: 'dataset',
    ...(await store.putBytes('a,b\n1,2\n')),
    name: 'table.csv',
  };
  const model: ArtifactRef = { $artifact: 'model', ...(await store.put(folder)), name: 'model' };
  const loose = await store.putBytes('uploaded, used by nothing');
  const closed = { status: 'completed', closedAt: new Date().toISOString() } as const;
  await catalog.insertRun(aRun({ ...closed }));
  await catalog.project({
    steps: [aStep({ ...closed })],
    artifacts: [
      anEdge({ direction: 'input', field: 'table', artifact: table }),
      anEdge({ field: 'model', artifact: model }),
    ],
  });
  const cli = (...args: readonly string[]) => runCli(['artifacts', ...args], { cwd });
  const json = async (...args: readonly string[]): Promise<unknown> => {
    const { stdout } = await cli(...args, '--json');
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  };
  const blob = (digest: Digest) =>
    path.join(cwd, '.millrace/artifacts/v1/blobs/sha256', digest.slice(7, 9), digest.slice(9));
  return { cwd, store, table, model, loose, cli, json, blob };
}

const hex = (digest: Digest, digits = 64) => digest.slice(7, 7 + digits);

test('ls lists what steps made and used, by run, step, kind and name', async () => {
  const { cli, json, table, model } = await project();
  const all = await cli('ls');
  expect(all.stdout).toContain(hex(table.digest, 12));
  expect(all.stdout).toMatch(/model +model +2\.0 KiB +run-1\/train/);
  const names = async (...args: readonly string[]) =>
    ((await json('ls', ...args)) as { artifacts: { artifact: ArtifactRef }[] }).artifacts.map(
      ({ artifact }) => artifact.name,
    );
  expect(await names('--kind', 'model')).toEqual(['model']);
  expect(await names('--name', 'table.csv')).toEqual(['table.csv']);
  expect((await names('--run', 'last', '--step', 'train')).sort()).toEqual(['model', 'table.csv']);
  expect(await names('--step', 'other')).toEqual([]);
  expect(model.type).toBe('tree');
}, 120_000);

test('show, get and cat take a beginning of a digest', async () => {
  const { cwd, cli, json, table, model, loose } = await project();
  expect(await json('show', `sha256:${hex(model.digest, 10)}`)).toMatchObject({
    digest: model.digest,
    type: 'tree',
    size: model.size,
    artifact: { $artifact: 'model' },
    madeBy: [{ run: 'run-1', path: 'train', field: 'model' }],
    usedBy: [],
    entries: [
      { path: 'bin/run', executable: true },
      { path: 'weights', size: 2_000 },
    ],
  });
  const shown = await cli('show', hex(model.digest, 10));
  expect(shown.stdout).toMatch(/made by +run-1 train \(model\)/);
  expect(shown.stdout).toMatch(/x +10 B +bin\/run/);
  // The store alone knows of an upload.
  expect(await json('show', hex(loose.digest, 12))).toMatchObject({
    digest: loose.digest,
    type: 'file',
    madeBy: [],
  });

  expect((await cli('cat', hex(table.digest, 12))).stdout).toBe('a,b\n1,2\n');
  expect((await cli('cat', `${hex(model.digest, 12)}/bin/run`)).stdout).toBe('#!/bin/sh\n');
  expect(await cli('get', hex(model.digest, 12), 'copy')).toMatchObject({ exitCode: 0 });
  expect(await readFile(path.join(cwd, 'copy/weights'), 'utf8')).toBe('w'.repeat(2_000));
  expect((await stat(path.join(cwd, 'copy/bin/run'))).mode & 0o100).toBe(0o100);
  expect(await cli('get', hex(model.digest, 12), 'copy')).toMatchObject({ exitCode: 2 });
}, 120_000);

test('what is no digest, fits nothing or several, or is not in a folder is refused', async () => {
  const { cli, model } = await project();
  for (const [args, says] of [
    [['show', 'xyz'], 'is no digest'],
    [['show', '0000000000000000'], 'No content begins with sha256:0000000000000000'],
    [['cat', hex(model.digest)], 'is a folder'],
    [['cat', `${hex(model.digest)}/nope`], 'Name a file in it: bin/run, weights.'],
    [['verify'], 'Expected one of'],
  ] as const) {
    const end = await cli(...args);
    expect(end.exitCode).toBe(2);
    expect(end.stderr).toContain(says);
  }
}, 120_000);

test('verify names what is missing and what has changed, and ends with 1', async () => {
  const { cli, json, table, model, store, blob } = await project();
  expect(await cli('verify', '--all')).toMatchObject({ exitCode: 0, stdout: '4 verified\n' });
  expect(await cli('verify', '--run', 'last')).toMatchObject({ exitCode: 0 });
  const weights = (await store.entries(model.digest)).find(({ path: at }) => at === 'weights')!;
  await rm(blob(table.digest));
  await chmod(blob(weights.digest), 0o644);
  await writeFile(blob(weights.digest), 'v'.repeat(2_000));
  const end = await cli('verify', '--all');
  expect(end.exitCode).toBe(1);
  expect(end.stdout).toContain('2 of 4 are bad');
  expect(end.stdout).toMatch(new RegExp(`missing .*${table.digest}`));
  expect(end.stdout).toMatch(new RegExp(`corrupt .*${weights.digest}.*In the folders ${model.digest}`));
  expect(await json('verify', table.digest)).toMatchObject({
    checked: 1,
    bad: [{ code: 'ARTIFACT_MISSING' }],
  });
  expect((await cli('verify', model.digest)).exitCode).toBe(1);
}, 120_000);

test('store copy takes a store elsewhere, and says what it did', async () => {
  const { cwd } = await project();
  const copy = (...more: readonly string[]) =>
    runCli(['store', 'copy', 'file:.millrace/artifacts', 'file:elsewhere', ...more], { cwd });
  const first = await copy('--json', '--verify');
  expect(first.exitCode).toBe(0);
  expect(JSON.parse(first.stdout)).toMatchObject({ copied: { blobs: 5 }, verified: { blobs: 5 }, bad: [] });
  expect((await copy()).stdout).toMatch(/^copied 0 blobs \(0 B\), 5 blobs \(.*\) were there\n$/);
  expect(await runCli(['store', 'copy', 'file:elsewhere', 'file:./elsewhere'], { cwd })).toMatchObject({
    exitCode: 2,
  });
}, 120_000);

test('gc says what would go, and removes it', async () => {
  const { cwd, loose, blob } = await project();
  const dry = await runCli(['gc', '--older-than', '0s', '--dry-run', '--json'], { cwd });
  expect(JSON.parse(dry.stdout)).toMatchObject({ dryRun: true, runs: { removed: ['run-1'], kept: 0 } });
  const end = await runCli(['gc', '--older-than', '0s'], { cwd });
  expect(end.exitCode).toBe(0);
  expect(end.stdout).toMatch(/removed 0 B with 1 runs and 0 builds; kept .* with 0 runs/);
  // Stored just now.
  expect((await stat(blob(loose.digest))).isFile()).toBe(true);
  expect(await runCli(['gc'], { cwd })).toMatchObject({ exitCode: 2 });
  expect(await runCli(['gc', '--older-than', 'soon'], { cwd })).toMatchObject({ exitCode: 2 });
}, 120_000);
