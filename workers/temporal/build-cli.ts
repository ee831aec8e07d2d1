import { spawn } from 'node:child_process';
import { keepExecutable } from './keep-executable.js';
import { temporalModule, temporalVersion } from './version.js';

export type BuildOptions = {
  /** Path of the `go` executable. */
  readonly go: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: (sentence: string) => void;
  readonly signal: AbortSignal | undefined;
};

const tellEveryMs = 10_000;

/** Builds the CLI from its Go module, 3 to 8 minutes on two cores. @throws with what Go said last */
export async function buildCli(target: string, { onProgress, ...options }: BuildOptions): Promise<void> {
  onProgress(`Building the Temporal CLI v${temporalVersion.cli} with Go: this takes 3 to 8 minutes, once.`);
  const from = Date.now();
  const telling = setInterval(() => {
    onProgress(`Still building the Temporal CLI: ${Math.round((Date.now() - from) / 1000)} s so far.`);
  }, tellEveryMs);
  try {
    await keepExecutable(target, (folder) => goInstall(folder, options));
  } finally {
    clearInterval(telling);
  }
}

function goInstall(folder: string, { go, env, signal }: Omit<BuildOptions, 'onProgress'>): Promise<void> {
  const child = spawn(go, ['install', '-trimpath', '-ldflags=-s -w', temporalModule], {
    cwd: folder,
    env: { ...env, GOBIN: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)));
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(said.trim().split('\n').at(-1) || `go ended with code ${code}`));
    });
  });
}
