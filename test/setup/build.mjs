// Compiles the package into dist/, once for each state of the sources: `node test/setup/build.mjs`. Tests and the runner may call it
// at the same moment: one builds and the others wait for it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = resolve(import.meta.dirname, '../..');
const dist = join(root, 'dist');
const state = join(root, 'node_modules/.cache/millrace-build');
const lock = join(state, 'lock');
const stamp = join(state, 'stamp');

mkdirSync(state, { recursive: true });
await takeLock();
try {
  process.exitCode = build();
} finally {
  rmSync(lock, { force: true });
}

function build() {
  const sources = sourceFiles();
  const now = stateOf(sources);
  const outputs = sources.map((file) => join(dist, relative(root, file).replace(/\.ts$/, '.js')));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now && outputs.every((file) => existsSync(file)))
    return 0;
  removeOrphans(new Set(outputs));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(
    process.execPath,
    [compiler, '-p', 'tsconfig.build.json', '--pretty', 'false'],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  if (status === 0) writeFileSync(stamp, now);
  return status ?? 1;
}

function sourceFiles() {
  const { include, exclude } = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'));
  const left = (file) => exclude.some((folder) => file.startsWith(join(root, folder, '/')));
  return include
    .flatMap((room) => filesUnder(join(root, room)))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts') && !left(file))
    .sort();
}

function stateOf(sources) {
  const hash = createHash('sha256');
  const settings = ['package-lock.json', 'package.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) =>
    join(root, name),
  );
  for (const file of [...sources, ...settings]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** What a deleted or renamed source left behind would be packed and published. */
function removeOrphans(outputs) {
  for (const file of filesUnder(dist)) {
    const output = file.replace(/(\.d\.ts|\.js|\.js\.map)$/, '.js');
    if (!outputs.has(output)) rmSync(file);
  }
}

function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

async function takeLock() {
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!holderLives()) rmSync(lock, { force: true });
    await sleep(100);
  }
}

function holderLives() {
  try {
    process.kill(Number(readFileSync(lock, 'utf8')) || process.pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
