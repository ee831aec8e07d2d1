import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { packageRoot } from '../../../config/package-root.js';
import { type RunningProgram, startProgram } from '../../support/run-program.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

export type Started = { readonly pid: number; readonly owned: boolean; readonly address: string };

/** Builds a program that starts the service of a project as users' processes do, prints it, and stays until it is told otherwise. */
export async function buildStarter(): Promise<(options: StarterOptions) => RunningProgram> {
  const folder = await temporaryFolder();
  const root = packageRoot();
  const source = `
    import { loadConfig } from ${JSON.stringify(join(root, 'config/load-config.ts'))};
    import { startTemporalService } from ${JSON.stringify(join(root, 'workers/temporal/service.ts'))};
    const config = await loadConfig({ cwd: process.env.PROJECT, env: {} });
    const { pid, owned, address } = await startTemporalService({ config, detached: process.env.DETACHED === 'yes' });
    console.log(JSON.stringify({ pid, owned, address }));
    if (process.env.THEN === 'exit') process.exit(0);
    setInterval(() => {}, 1000);`;
  await writeFile(join(folder, 'starter.ts'), source);
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await build({
    entryPoints: [join(folder, 'starter.ts')],
    outfile: join(folder, 'starter.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
  return ({ project, detached = false, afterwards = 'stay' }) =>
    startProgram(process.execPath, [join(folder, 'starter.mjs')], {
      env: { PROJECT: project, DETACHED: detached ? 'yes' : 'no', THEN: afterwards },
    });
}

export type StarterOptions = {
  readonly project: string;
  readonly detached?: boolean;
  /** Default `stay`. */
  readonly afterwards?: 'stay' | 'exit';
};

export const started = (program: RunningProgram): Promise<Started> =>
  waitFor(
    () => {
      const line = program.stdout().split('\n')[0];
      return line ? (JSON.parse(line) as Started) : undefined;
    },
    { what: `the starter to print its service; it said ${program.stderr()}` },
  );
