import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { TemporalNotFound } from '../../sdk/errors.js';
import { buildCli } from './build-cli.js';
import { downloadCli } from './download-cli.js';
import { withFileLock } from './file-lock.js';
import { temporalVersion } from './version.js';

export type FindCliOptions = {
  /** Gets a plain sentence at each stage, and every ten seconds while it builds. */
  readonly onProgress?: (sentence: string) => void;
  /** PATH, HOME, XDG_CACHE_HOME; Go's own variables. Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
  /** Where the archive is fetched from. Default: Temporal's own place. */
  readonly downloadUrl?: string;
  readonly signal?: AbortSignal;
};

/**
 * Path of a `temporal` executable: on PATH, from Millrace's cache, downloaded, or built from its source (3 to 8 minutes).
 * @throws TemporalNotFound naming what was tried and what to do
 */
export async function findTemporalCli(options: FindCliOptions = {}): Promise<string> {
  const { env = process.env, onProgress, signal } = options;
  const present = await presentTemporalCli(env);
  if (present !== undefined) return present;

  const cached = cachedCli(env);
  const folder = dirname(cached);
  await mkdir(folder, { recursive: true });
  const fetchUnlessThere = async () => {
    if (!(await isExecutable(cached))) await fetchCli(cached, { ...options, env });
  };
  await withFileLock(join(folder, 'temporal.lock'), fetchUnlessThere, {
    onWait: () => onProgress?.('Another process is fetching the Temporal CLI; waiting for it.'),
    signal,
  });
  return cached;
}

/** Path of a `temporal` executable that is there without fetching one: on PATH, else in Millrace's cache. */
export async function presentTemporalCli(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const onPath = await executableOnPath('temporal', env);
  if (onPath !== undefined) return onPath;
  return (await isExecutable(cachedCli(env))) ? cachedCli(env) : undefined;
}

const cachedCli = (env: NodeJS.ProcessEnv): string =>
  join(cacheFolder(env), `temporal-v${temporalVersion.cli}`);

async function fetchCli(target: string, options: FindCliOptions & { env: NodeJS.ProcessEnv }): Promise<void> {
  const { env, onProgress = () => undefined, downloadUrl, signal } = options;
  const go = await executableOnPath('go', env);
  const failures: string[] = [];
  const attempt = async (way: string, get: () => Promise<void>): Promise<boolean> => {
    try {
      await get();
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(`${way}: ${(error as Error).message}`);
      onProgress(`That did not work (${failures.at(-1)}).`);
      return false;
    }
  };
  if (await attempt('download', () => downloadCli(target, { url: downloadUrl, onProgress, signal }))) return;
  if (go === undefined) failures.push('go install: there is no `go` on PATH');
  else if (await attempt('go install', () => buildCli(target, { go, env, onProgress, signal }))) return;
  throw new TemporalNotFound(
    `There is no Temporal CLI on PATH or at ${target}, and none could be fetched (${failures.join('; ')}).`,
    {
      hint: 'Install it (https://docs.temporal.io/cli) so that `temporal` is on PATH, or set TEMPORAL_ADDRESS to a service that runs.',
      fields: { tried: failures },
    },
  );
}

const cacheFolder = ({ XDG_CACHE_HOME, HOME }: NodeJS.ProcessEnv): string =>
  join(XDG_CACHE_HOME || join(HOME || homedir(), '.cache'), 'millrace', 'bin');

async function executableOnPath(name: string, { PATH = '' }: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of PATH.split(delimiter).filter(Boolean)) {
    if (await isExecutable(join(folder, name))) return join(folder, name);
  }
  return undefined;
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
