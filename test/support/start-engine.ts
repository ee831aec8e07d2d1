import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { readdir, readFile, rm } from 'node:fs/promises';
import Docker from 'dockerode';
import { isAlive, kill } from '../../workers/temporal/service-process.js';
import { releaseAtEnd } from './release-at-end.js';
import { temporaryFolder } from './temporary-folder.js';
import { waitFor } from './wait-for.js';

/** A Docker engine of the test's own, to be stopped and started again. It ends with the test file. */
export type TestEngine = {
  readonly docker: Docker;
  /** As DOCKER_HOST names it. */
  readonly host: string;
  start(options: { readonly liveRestore: boolean }): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
};

/** @param images tags that it gets from this machine's engine */
export async function startEngine(
  options: { readonly liveRestore: boolean },
  images: readonly string[],
): Promise<TestEngine> {
  const folder = await temporaryFolder();
  const socketPath = path.join(folder, 'docker.sock');
  const host = `unix://${socketPath}`;
  const docker = new Docker({ socketPath });
  let daemon: ChildProcess | undefined;
  const start = async ({ liveRestore }: { readonly liveRestore: boolean }) => {
    for (const file of ['pidfile', 'exec-root/containerd/containerd.pid'])
      await forgetDead(path.join(folder, file));
    const places = ['data-root', 'exec-root', 'pidfile'].map(
      (name) => `--${name}=${path.join(folder, name)}`,
    );
    // After a SIGKILL they name processes that are gone, which the engine may not see.
    for (const stale of ['pidfile', 'exec-root/containerd/containerd.pid'])
      await rm(path.join(folder, stale), { force: true });
    // In a network of its own: an engine without a bridge takes away the bridge of the other one.
    const own = ['--bridge=none', '--iptables=false', ...(liveRestore ? ['--live-restore'] : [])];
    daemon = spawn('unshare', ['--net', 'dockerd', `--host=${host}`, ...places, ...own], {
      stdio: 'ignore',
    });
    await waitFor(() => docker.ping(), { what: 'the engine', timeoutMs: 60_000, intervalMs: 100 });
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (!daemon || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill(signal);
    await ended;
  };
  releaseAtEnd(async () => {
    const left = await docker.listContainers({ all: true }).catch(() => []);
    for (const { Id } of left) await docker.getContainer(Id).remove({ force: true });
    await stop();
    await endShims(folder);
    await unmountBelow(folder);
  });
  await start(options);
  for (const tag of images)
    execFileSync('sh', ['-c', `docker save ${tag} | docker --host ${host} load -q`], { stdio: 'ignore' });
  return { docker, host, start, stop };
}

/** A process that nobody has collected yet counts as alive for dockerd, which would wait for it in vain. */
async function forgetDead(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => '0'));
  if (pid > 0 && !isAlive(pid)) await rm(pidFile);
}

/** What stood between a killed containerd and its containers stays otherwise, also of containers that have ended. */
async function endShims(folder: string): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes('containerd-shim') && command.includes(`${folder}/`)) kill(Number(pid), 'SIGKILL');
  }
}

/** The engine mounts its own folders, which could not be removed otherwise. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((each) => each.startsWith(`${folder}/`)).reverse())
    execFileSync('umount', ['-l', mount]);
}
