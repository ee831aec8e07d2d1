import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../sdk/artifact.js';

/** Where things lie below the state directory. */
export type StatePaths = {
  /** Folders in which attempts of a run have run or run now. */
  workFolders(): Promise<readonly { readonly run: string; readonly folder: string }[]>;
  /** An attempt's folder while it runs. */
  attempt(run: string, step: string, attempt: number): string;
  attemptLog(run: string, step: string, attempt: number): string;
  /** Logs of one step, or of all of a run. */
  logs(run: string, step?: string): string;
  /** What people try beside all runs, while they do. */
  readonly sessions: string;
  /** Results of a step that was run alone. */
  apart(run: string, step: string): string;
  /** Notes of logs that the catalog does not name yet. */
  readonly unstoredLogs: string;
  /** The Python helper's versions. */
  readonly helper: string;
  /** Sources and code, placed once a host. */
  cached(kind: 'tree' | 'code', digest: Digest): string;
};

export function statePaths(stateDir: string): StatePaths {
  const logs = (run: string, step?: string) =>
    path.join(stateDir, 'logs', safe(run), ...(step === undefined ? [] : [safe(step)]));
  const work = path.join(stateDir, 'work');
  return {
    async workFolders() {
      const names = await readdir(work).catch(() => []);
      return names.map((name) => ({ run: decodeURIComponent(name), folder: path.join(work, name) }));
    },
    attempt: (run, step, attempt) => path.join(work, safe(run), safe(step), String(attempt)),
    attemptLog: (run, step, attempt) => path.join(logs(run, step), `${attempt}.log`),
    logs,
    sessions: path.join(stateDir, 'sessions'),
    apart: (run, step) => path.join(stateDir, 'apart', safe(run), safe(step)),
    // No run's: their names begin with no dot there.
    unstoredLogs: path.join(stateDir, 'logs', '.unstored'),
    helper: path.join(stateDir, 'cache', 'helper'),
    cached: (kind, digest) =>
      path.join(stateDir, 'cache', kind, digest.replace(':', '-') + (kind === 'code' ? '.cjs' : '')),
  };
}

/** A step path may hold `/`; nothing a name may hold leads out of its folder. */
const safe = (name: string): string =>
  encodeURIComponent(name).replace(/^\.+/, (dots) => '%2E'.repeat(dots.length));
