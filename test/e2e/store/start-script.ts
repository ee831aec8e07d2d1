import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { type RunningProgram, startProgram } from '../../support/run-program.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const project = resolve(__dirname, '../../..');

/** Starts a TypeScript file of this folder in a Node process of its own. */
export async function startScript(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningProgram> {
  const outfile = join(await temporaryFolder(), 'script.cjs');
  await build({
    entryPoints: [join(__dirname, script)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
  });
  return startProgram(process.execPath, [outfile, ...args], {
    env: { ...env, NODE_PATH: join(project, 'node_modules') },
  });
}
