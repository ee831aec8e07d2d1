import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { openDebugEnvironment } from './debug-environment.js';
import type { DebugTools } from './debug-tools.js';
import { runStepAlone } from './step-alone.js';
import { openStepShell, runStepCommand } from './try-step.js';

export type DebugToolsOptions = {
  /** Default: read from millrace.config.ts and the environment. */
  readonly config?: Config;
  /** host:port of the service. Default: the config's, else the embedded service of the state directory. */
  readonly address?: string;
};

/** @throws ConfigInvalid */
export async function createDebugTools(options: DebugToolsOptions = {}): Promise<DebugTools> {
  const config = options.config ?? (await loadConfig());
  // Containers run as another user than root: a stricter mask would hide their input from them, as in a worker.
  if (process.getuid?.() === 0) process.umask(0o022);
  const env = await openDebugEnvironment(config, options.address);
  return {
    shell: (choice, more) => openStepShell(env, choice, more),
    command: (choice, more) => runStepCommand(env, choice, more),
    step: (choice, more) => runStepAlone(env, choice, more),
    async replay(run, more) {
      // Temporal's worker takes half a second to load, which a shell can do without.
      const { replayRun } = await import('./replay/replay-run.js');
      return replayRun(env, run, more);
    },
    async check(more) {
      const { checkRuns } = await import('./replay/check-runs.js');
      return checkRuns(env, more);
    },
    [Symbol.asyncDispose]: () => env[Symbol.asyncDispose](),
  };
}
