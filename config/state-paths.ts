import path from 'node:path';
import type { Digest } from '../sdk/artifact.js';

/** Where things lie below the state directory. */
export type StatePaths = {
  /** An attempt's folder while it runs. */
  attempt(run: string, step: string, attempt: number): string;
  attemptLog(run: string, step: string, attempt: number): string;
  /** Logs of one step, or of all of a run. */
  logs(run: string, step?: string): string;
  /** Sources and code, placed once a host. */
  cached(kind: 'tree' | 'code', digest: Digest): string;
};

export function statePaths(stateDir: string): StatePaths {
  const logs = (run: string, step?: string) =>
    path.join(stateDir, 'logs', safe(run), ...(step === undefined ? [] : [safe(step)]));
  return {
    attempt: (run, step, attempt) => path.join(stateDir, 'work', safe(run), safe(step), String(attempt)),
    attemptLog: (run, step, attempt) => path.join(logs(run, step), `${attempt}.log`),
    logs,
    cached: (kind, digest) =>
      path.join(stateDir, 'cache', kind, digest.replace(':', '-') + (kind === 'code' ? '.cjs' : '')),
  };
}

/** A step path may hold `/`; nothing a name may hold leads out of its folder. */
const safe = (name: string): string =>
  encodeURIComponent(name).replace(/^\.+/, (dots) => '%2E'.repeat(dots.length));
