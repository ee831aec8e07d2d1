import { execFile } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { isAlive } from '../../workers/temporal/service-process.js';
import type { EndSignal } from './plan.js';
import { type RunningProgram, runProgram, startProgram } from '../support/run-program.js';
import { waitFor } from '../support/wait-for.js';

/** A Docker engine that may be taken away. */
export type ChaosEngine = AsyncDisposable & {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Ends the engine; one with live-restore leaves containers running. */
  readonly end: (signal: EndSignal) => Promise<void>;
  readonly start: (liveRestore: boolean) => Promise<void>;
};

/** Why this machine cannot have a second engine; undefined where it can. */
export function noEngine(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start a second Docker engine';
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.some((folder) => isExecutable(path.join(folder, 'dockerd')))
    ? undefined
    : 'there is no dockerd on PATH';
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a second engine, with its data and socket in a folder of its own and without a bridge, so that the one everybody uses is
 * not touched. It has the images named, from that one.
 */
export async function startEngine(
  folder: string,
  { images, liveRestore }: { readonly images: readonly string[]; readonly liveRestore: boolean },
): Promise<ChaosEngine> {
  await mkdir(folder, { recursive: true });
  const host = `unix://${path.join(folder, 'docker.sock')}`;
  const at = (name: string): string => path.join(folder, name);
  let daemon: RunningProgram | undefined;

  const start = async (keep: boolean): Promise<void> => {
    for (const file of ['docker.pid', 'exec/containerd/containerd.pid']) await forgetDead(at(file));
    // In a network of its own: an engine without a bridge takes away that of the other one.
    const own = ['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('docker.pid')];
    const started = startProgram('unshare', ['--net', 'dockerd', '--host', host, ...own, '--bridge', 'none', '--iptables=false', ...(keep ? ['--live-restore'] : [])]); // prettier-ignore
    daemon = started;
    const ended = started.ended.then(({ exitCode, stderr }) => {
      throw new Error(`dockerd ended with ${exitCode}:\n${stderr.slice(-2_000)}`);
    });
    ended.catch(() => undefined);
    const answers = async (): Promise<boolean> => (await docker(host, ['version'])).exitCode === 0;
    await Promise.race([ended, waitFor(answers, { what: 'the second engine', timeoutMs: 60_000, intervalMs: 200 })]); // prettier-ignore
  };
  const end = async (signal: EndSignal): Promise<void> => {
    daemon?.kill(signal);
    await daemon?.ended;
  };

  await start(liveRestore);
  for (const image of images) {
    const command = `docker save ${image} | docker --host ${host} load`;
    const { exitCode, stderr } = await runProgram('sh', ['-c', command]);
    if (exitCode !== 0) throw new Error(`The second engine could not take ${image}: ${stderr}`);
  }
  return {
    host,
    start,
    end,
    async [Symbol.asyncDispose]() {
      const left = (await docker(host, ['ps', '--all', '--quiet'])).stdout.split('\n').filter(Boolean);
      if (left.length > 0) await docker(host, ['rm', '--force', ...left]);
      await daemon?.[Symbol.asyncDispose]();
      await unmountBelow(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A process that nobody has collected yet counts as alive for dockerd, which would wait for it in vain. */
async function forgetDead(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => '0'));
  if (pid > 0 && !isAlive(pid)) await rm(pidFile);
}

const docker = (host: string, args: readonly string[]) =>
  runProgram('docker', ['--host', host, ...args], { timeoutMs: 20_000 });

/** What an engine that was killed has left mounted: network namespaces, layers. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  const own = mounts.filter((mount) => mount.startsWith(`${folder}/`)).reverse();
  for (const mount of own) await promisify(execFile)('umount', ['--lazy', mount]).catch(() => undefined);
}
