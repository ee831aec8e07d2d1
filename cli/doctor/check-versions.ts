import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { packageRoot, packageVersion } from '../../config/package-root.js';
import type { Check } from './check.js';
import { fail, ok, warn } from './check.js';
import { programOutput } from './run-program.js';

type Version = readonly [major: number, minor: number];
const version = (text: string): Version => {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major), Number(minor)];
};
const isBefore = ([major, minor]: Version, [wantedMajor, wantedMinor]: Version): boolean =>
  major < wantedMajor || (major === wantedMajor && minor < wantedMinor);

export const nodeCheck: Check = {
  name: 'node',
  look: () =>
    Promise.resolve(
      isBefore(version(process.version), [20, 19])
        ? fail(`Node ${process.version}`, 'Install Node 20.19 or newer.')
        : ok(`Node ${process.version}`),
    ),
};

/** The command and the project's own import must be one package: a build of one is not served by the other. */
export const packageCheck: Check = {
  name: 'millrace',
  async look({ projectDir }) {
    const own = `millrace ${packageVersion()}`;
    const installed = projectPackage(projectDir);
    if (installed === undefined)
      return warn(`${own}, not installed in ${projectDir}`, 'npm install millrace in the project.');
    const { version: theirs } = JSON.parse(await readFile(installed, 'utf8')) as { readonly version: string };
    if (theirs === packageVersion()) return ok(own);
    return warn(
      `${own} runs, and the project has ${theirs}`,
      'Call the project’s own: npx millrace, in its folder.',
    );
  },
};

function projectPackage(projectDir: string): string | undefined {
  if (!path.relative(packageRoot(), projectDir).startsWith('..'))
    return path.join(packageRoot(), 'package.json');
  try {
    return createRequire(path.join(projectDir, 'package.json')).resolve('millrace/package.json');
  } catch {
    return undefined;
  }
}

/** Only steps that run Python as processes need it. */
export const pythonCheck: Check = {
  name: 'python',
  async look() {
    const found = await programOutput('python3', ['--version']);
    const todo = 'Install Python 3.10 or newer with venv, or run Python steps in Docker.';
    if (found === undefined) return warn('no python3 on PATH', todo);
    if (isBefore(version(found), [3, 10])) return warn(found, todo);
    const venv = await programOutput('python3', ['-c', 'import venv, ensurepip; print("yes")']);
    return venv === 'yes'
      ? ok(found)
      : warn(`${found} without venv`, 'Install python3-venv: requirements.txt of a step needs it.');
  },
};
