import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { keepExecutable } from './keep-executable.js';
import { temporalVersion } from './version.js';

export type DownloadOptions = {
  readonly url: string | undefined;
  readonly onProgress: (sentence: string) => void;
  readonly signal: AbortSignal | undefined;
};

const connectWithinMs = 5_000;
const downloadWithinMs = 10 * 60_000;

/** Downloads the official archive for this platform. @throws within seconds where it cannot be reached */
export async function downloadCli(
  target: string,
  { url, onProgress, signal }: DownloadOptions,
): Promise<void> {
  const address = url ?? officialUrl();
  onProgress(`Downloading the Temporal CLI v${temporalVersion.cli} from ${new URL(address).host}.`);
  const whole = AbortSignal.any([AbortSignal.timeout(downloadWithinMs), ...(signal ? [signal] : [])]);
  const archive = await open(address, whole);
  await keepExecutable(target, (folder) => unpack(archive, folder, whole));
}

function officialUrl(): string {
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];
  const platform = { linux: 'linux', darwin: 'darwin' }[process.platform as string];
  if (arch === undefined || platform === undefined) {
    throw new Error(`there is no archive for ${process.platform} on ${process.arch}`);
  }
  return `https://temporal.download/cli/archive/v${temporalVersion.cli}?platform=${platform}&arch=${arch}`;
}

async function open(url: string, signal: AbortSignal): Promise<Readable> {
  const connecting = new AbortController();
  const late = setTimeout(
    () =>
      connecting.abort(new Error(`${new URL(url).host} did not answer within ${connectWithinMs / 1000} s`)),
    connectWithinMs,
  );
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, connecting.signal]) });
    if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
    return Readable.fromWeb(response.body);
  } catch (error) {
    // What fetch throws says only "fetch failed"; its cause says why, and has no text when a host's addresses all refused.
    const { message, code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
    throw new Error(message || code, { cause: error });
  } finally {
    clearTimeout(late);
  }
}

async function unpack(archive: Readable, folder: string, signal: AbortSignal): Promise<void> {
  const { extract } = await import('tar-fs');
  const files = extract(folder, { ignore: (name) => !name.endsWith('/temporal') });
  await pipeline(archive, createGunzip(), files, { signal });
}
