import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const run = promisify(execFile);
const project = resolve(__dirname, '../../..');

/** Starts a TypeScript file of this folder as a process of its own. @param outfile where its bundle is put */
export async function startScript(
  script: string,
  outfile: string,
  given: readonly string[],
): Promise<ChildProcess> {
  await bundle(script, outfile);
  return spawn(process.execPath, [outfile, ...given], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

const environment = () => ({ ...process.env, NODE_PATH: join(project, 'node_modules') });

const bundle = (script: string, outfile: string) =>
  build({
    entryPoints: [join(__dirname, script)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
  });

/** Runs a TypeScript file of this folder in several Node processes at once, each with its arguments; gives their stdout. */
export async function forkScript(
  script: string,
  argumentLists: readonly (readonly string[])[],
): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-fork-'));
  try {
    const outfile = join(folder, 'script.cjs');
    await bundle(script, outfile);
    const children = argumentLists.map((list) =>
      run(process.execPath, [outfile, ...list], { env: environment() }),
    );
    return (await Promise.all(children)).map(({ stdout }) => stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
