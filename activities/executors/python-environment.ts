import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { DependenciesFailed } from '../../sdk/errors.js';
import type { WorkOptions } from './executor.js';
import { withFileLock } from './file-lock.js';
import { findProgram } from './find-program.js';
import { readRequirements, requirementsFile } from './requirements.js';
import type { SharedWork } from './shared-work.js';

export type PythonEnvironment = {
  /** Absolute folder; its bin/ goes first on PATH. */
  readonly folder: string;
  /** `name==version`. */
  readonly packages: readonly string[];
};

export type PythonEnvironmentOptions = WorkOptions & {
  /** The worker's environment: its PATH gives the interpreter, pip's settings and proxies hold. */
  readonly env: NodeJS.ProcessEnv;
  readonly share: SharedWork<PythonEnvironment>;
};

type Wanted = {
  readonly python: HostPython;
  /** Where the environment is, once it is made. */
  readonly link: string;
};

/**
 * The virtual environment with a source's requirements, kept under ~/.cache/millrace/venvs by interpreter and lock; made by the
 * first who asks, of whatever process.
 * @returns undefined when the source has no requirements.txt
 * @throws DependenciesFailed with pip's last lines
 */
export async function pythonEnvironment(
  source: string,
  { env, share, signal, onDetail }: PythonEnvironmentOptions,
): Promise<PythonEnvironment | undefined> {
  const wanted = await environmentFor(source, env, signal);
  if (!wanted) return undefined;
  const { python, link } = wanted;
  const made = await published(link);
  if (made) return made;
  const options = { signal, ...(onDetail && { onDetail }) };
  return share(
    link,
    async (shared) => {
      await mkdir(path.dirname(link), { recursive: true });
      const make = async () =>
        (await published(link)) ?? (await build({ link, python: python.program, source, env, ...shared }));
      return withFileLock(`${link}.lock`, make, shared);
    },
    options,
  );
}

/** Whether a source needs an environment that is not made yet; nothing is installed. */
export async function lacksPythonEnvironment(
  source: string,
  { env, signal }: Pick<PythonEnvironmentOptions, 'env' | 'signal'>,
): Promise<boolean> {
  const wanted = await environmentFor(source, env, signal);
  return wanted !== undefined && (await published(wanted.link)) === undefined;
}

async function environmentFor(
  source: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Wanted | undefined> {
  const requirements = await readRequirements(source);
  if (!requirements) return undefined;
  const python = await hostPython(env, signal);
  const key = createHash('sha256')
    .update(`${python.identity}\n${requirements.digest}`)
    .digest('hex')
    .slice(0, 32);
  return { python, link: path.join(cacheFolder(env), key) };
}

const cacheFolder = (env: NodeJS.ProcessEnv): string =>
  path.join(env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'), 'millrace/venvs');

const packagesFile = 'millrace-packages.json';

async function published(link: string): Promise<PythonEnvironment | undefined> {
  try {
    const folder = await realpath(link);
    return {
      folder,
      packages: JSON.parse(await readFile(path.join(folder, packagesFile), 'utf8')) as string[],
    };
  } catch {
    return undefined;
  }
}

type Build = Required<WorkOptions> & {
  readonly link: string;
  readonly python: string;
  readonly source: string;
  readonly env: NodeJS.ProcessEnv;
};

/** Programs in it name its folder, so it is made where it stays and published whole by a link to it. */
async function build({ link, python, source, env, signal, onDetail }: Build): Promise<PythonEnvironment> {
  const folder = `${link}-${randomUUID()}`;
  const own = path.join(folder, 'bin/python');
  const run = (program: string, args: readonly string[]) =>
    output(program, args, { cwd: source, env: buildEnvironment(env), signal });
  try {
    onDetail(`installing ${requirementsFile}`);
    await run(python, ['-m', 'venv', folder]);
    await run(own, [
      '-m',
      'pip',
      'install',
      '--no-input',
      '--disable-pip-version-check',
      '-r',
      requirementsFile,
    ]);
    const frozen = await run(own, ['-m', 'pip', 'freeze', '--disable-pip-version-check']);
    const packages = frozen.split('\n').filter((line) => /^[A-Za-z0-9][\w.-]*(==| @ )/.test(line));
    await writeFile(path.join(folder, packagesFile), JSON.stringify(packages));
    await symlink(folder, link);
    return { folder, packages };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    // Another process was first, its lock having been taken for a dead one's.
    const other = await published(link);
    if (other) return other;
    throw error;
  }
}

type HostPython = { readonly program: string; readonly identity: string };

async function hostPython(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<HostPython> {
  const searchPath = env['PATH'] ?? '';
  const program = (await findProgram('python3', searchPath)) ?? (await findProgram('python', searchPath));
  if (!program) {
    throw new DependenciesFailed(`The source has a ${requirementsFile}, but this host has no Python.`, {
      hint: 'Install Python 3 with venv on the worker, or run the step in Docker.',
    });
  }
  return { program, identity: await pythonIdentity(program, env, signal) };
}

/** What tells one Python from another: version, platform and where it lies. */
export const pythonIdentity = (
  program: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string> =>
  output(program, ['-c', 'import sys, platform; print(sys.version, platform.platform(), sys.base_prefix)'], {
    env: buildEnvironment(env),
    signal,
  });

/** pip runs code of packages: it gets what finding and compiling them needs, not the worker's settings and secrets. */
const buildEnvironment = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => passed.test(name)));

const passed =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TMPDIR|PIP_\w+|UV_\w+|XDG_\w+|PYENV_\w+|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|NETRC|CC|CXX|CFLAGS|CXXFLAGS|LDFLAGS|(HTTPS?|ALL|NO|FTP)_PROXY)$/i;

const lastLines = 20;

function output(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal },
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { ...options, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if (options.signal.aborted) return reject(options.signal.reason as Error);
      const tail = `${stdout}${stderr}`.trimEnd().split('\n').slice(-lastLines);
      const hint = args.includes('venv')
        ? 'Install Python with venv and pip on the worker (Debian: python3-venv), or run the step in Docker.'
        : `Mend ${requirementsFile}; \`pip install -r ${requirementsFile}\` shows the same.`;
      const what = `Installing ${requirementsFile} failed.\n${tail.join('\n')}\n`;
      return reject(new DependenciesFailed(what, { hint, fields: { output: tail }, cause: error }));
    });
  });
}
