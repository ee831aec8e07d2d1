import { setTimeout as pause } from 'node:timers/promises';
import { contractEnv } from '../../sdk/step-contract.js';
import type { ExecutionIdentity } from './executor.js';
import { processesWith, sessionMembers } from './process-group.js';

/** In the environment of each process of a step, beside the contract's names: finds what left its group. */
const installationVariable = 'MILLRACE_INSTALLATION';

/** Variables that tell one attempt's processes from all others. */
export const markOf = ({
  installation,
  run,
  step,
  attempt,
}: Pick<ExecutionIdentity, 'installation' | 'run' | 'step' | 'attempt'>): Readonly<
  Record<string, string>
> => ({
  [installationVariable]: installation,
  [contractEnv.run]: run,
  [contractEnv.step]: step,
  [contractEnv.attempt]: String(attempt),
});

/** Ends what an attempt left running: its group, its session, and processes that began a session of their own. */
export async function endProcesses(leader: number, identity: ExecutionIdentity): Promise<void> {
  kill(-leader);
  // A process being forked at the first look is there at the second.
  for (let look = 1; look <= 10; look += 1) {
    const marked = await processesWith(markOf(identity));
    const left = [...(await sessionMembers(leader)), ...marked.map(({ pid }) => pid)];
    if (left.length === 0) return;
    for (const pid of left) kill(pid);
    await pause(20);
  }
}

export type LeftProcess = {
  readonly pid: number;
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
};

/** Processes of an installation's steps on this host, whatever worker started them. */
export async function stepProcesses(installation: string): Promise<readonly LeftProcess[]> {
  const found = await processesWith({ [installationVariable]: installation });
  return found.map(({ pid, env }) => ({
    pid,
    run: env.get(contractEnv.run) ?? '',
    step: env.get(contractEnv.step) ?? '',
    attempt: Number(env.get(contractEnv.attempt)),
  }));
}

/** @param pid of a process, or negative of its group */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
