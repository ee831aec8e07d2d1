import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { digestOf } from '../../store/hash-file.js';
import { hashFile } from '../../store/hash-file.js';
import type { WorkOptions, HostInterpreter, InterpreterRequest } from './executor.js';
import { findProgram } from './find-program.js';
import type { PythonEnvironment } from './python-environment.js';
import { lacksPythonEnvironment, pythonEnvironment, pythonIdentity } from './python-environment.js';
import type { SharedWork } from './shared-work.js';

export type HostInterpreterOptions = WorkOptions & {
  /** The worker's environment: its PATH is where programs are looked for. */
  readonly env: NodeJS.ProcessEnv;
  readonly share: SharedWork<PythonEnvironment>;
};

/**
 * What runs a step on this host: of a function Node, of a command the program it names, and the packages that its source asks
 * for. It stands in a content key where an image's digest would.
 */
export async function hostInterpreter(
  { command, source, install }: InterpreterRequest,
  { env, share, ...options }: HostInterpreterOptions,
): Promise<HostInterpreter | undefined> {
  if (!command) return { programs: [`node ${process.version}`] };
  if (source !== undefined && !install && (await lacksPythonEnvironment(source, { env, ...options })))
    return undefined;
  const python =
    source === undefined ? undefined : await pythonEnvironment(source, { ...options, env, share });
  const searchPath = [python && path.join(python.folder, 'bin'), env['PATH']].filter(Boolean);
  const programs: string[] = [];
  for (const name of programsOf(command))
    programs.push(await identityOf(name, searchPath.join(path.delimiter), env, options.signal));
  return {
    programs,
    ...(python && { packages: [...python.packages].sort() }),
  };
}

/** The program a command names, and interpreters named in its other words: `sh -c 'python train.py'` is Python's work too. */
export function programsOf([program = '', ...words]: readonly string[]): readonly string[] {
  const named = words
    .flatMap((word) => word.split(/[\s;|&()<>"'`$=]+/))
    .filter((word) => interpreter.test(path.basename(word)));
  return [...new Set([program, ...named])];
}

const interpreter = /^((python|pypy)[\d.]*|node|bash|sh|perl|ruby|java|julia|R|Rscript)$/;

/** What was found out holds so long: behind a name that stays, as pyenv's, another version may come. */
const knownMs = 60_000;
const known = new Map<string, { readonly identity: string; readonly at: number }>();

async function identityOf(
  name: string,
  searchPath: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string> {
  // A program that comes with the input or the source is named by their digests.
  if (name.includes('{') || (name.includes('/') && !path.isAbsolute(name))) return name;
  const found = path.isAbsolute(name) ? name : await findProgram(name, searchPath);
  const file = found && (await realpath(found).catch(() => undefined));
  if (file === undefined || found === undefined) return `${name}: not there`;
  const { size, mtimeMs } = await stat(file);
  const memo = `${found} ${file} ${size} ${mtimeMs}`;
  const before = known.get(memo);
  if (before && performance.now() - before.at < knownMs) return before.identity;
  const isPython = /^python[\d.]*$/.test(path.basename(name));
  const identity = isPython
    ? `python ${digestOf(await pythonIdentity(found, env, signal))}`
    : (await hashFile(file, { signal })).digest;
  known.set(memo, { identity, at: performance.now() });
  return identity;
}
