import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { EmbeddedService } from '../../config/embedded-service.js';

const killAfterMs = 10_000;

/** Whether the recorded service is a running process, and not another program that got its pid since. */
export async function isRunning({
  pid,
  database,
}: Pick<EmbeddedService, 'pid' | 'database'>): Promise<boolean> {
  return isAlive(pid) && (await commandLine(pid)).includes(database);
}

/** Whether a process of this pid runs; one that has ended and whose exit nobody has collected yet does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // `pid (name) state …`, and the name may hold anything.
    return 'ZX'.includes(stat.charAt(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Ends the service: SIGTERM, and SIGKILL when that did nothing for 10 s. */
export async function endService(service: Pick<EmbeddedService, 'pid' | 'database'>): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isRunning(service))) return;
    kill(service.pid, signal);
    for (const end = Date.now() + killAfterMs; Date.now() < end;) {
      if (!(await isRunning(service))) return;
      await sleep(25);
    }
  }
}

/** Sends a signal; a process that is gone already is no error. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
  }
  return promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).then(
    ({ stdout }) => stdout,
    () => '',
  );
}
