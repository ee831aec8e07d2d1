import { homedir } from 'node:os';
import path from 'node:path';
import { contractEnvironment } from './contract-environment.js';
import type { Execution } from './executor.js';
import { markOf } from './process-leftovers.js';
import type { PythonEnvironment } from './python-environment.js';

/** All that a step's process on this host finds in its environment: nothing of the worker's own but where programs are. */
export function processEnvironment({
  execution,
  env,
  python,
  temporary,
}: {
  readonly execution: Execution;
  readonly env: NodeJS.ProcessEnv;
  readonly python: PythonEnvironment | undefined;
  /** Its own TMPDIR. */
  readonly temporary: string;
}): Readonly<Record<string, string>> {
  const declared = contractEnvironment(execution, { folder: execution.folder, helper: execution.helper });
  const searchPath = declared['PATH'] ?? env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  return {
    HOME: env['HOME'] ?? homedir(),
    LANG: env['LANG'] ?? 'C.UTF-8',
    TMPDIR: temporary,
    ...declared,
    PATH: python ? `${path.join(python.folder, 'bin')}:${searchPath}` : searchPath,
    ...(python && { VIRTUAL_ENV: python.folder }),
    ...Object.fromEntries(
      execution.secrets.filter((secret) => secret.env).map(({ name, value }) => [name, value]),
    ),
    ...markOf(execution),
  };
}
