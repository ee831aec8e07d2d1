import { connectTemporal } from '../../client/temporal-connection.js';
import type { Config } from '../../config/config.js';
import { readEmbeddedService } from '../../config/embedded-service.js';
import { isMillraceError } from '../../sdk/errors.js';
import { presentTemporalCli } from '../../workers/temporal/find-cli.js';
import { temporalVersion } from '../../workers/temporal/version.js';
import type { Check, Finding } from './check.js';
import { fail, ok, warn } from './check.js';
import { programOutput } from './run-program.js';

/** The configured service must answer; without one, the embedded one must run or be able to. */
export const temporalCheck: Check = {
  name: 'temporal',
  async look(config) {
    const { address } = config.temporal;
    if (address !== undefined) return configuredService(config, address);
    const running = await readEmbeddedService(config.stateDir);
    if (running && (await answers(config))) return ok(`embedded service runs at ${running.address}`);
    const cli = await presentTemporalCli();
    if (cli === undefined) {
      return warn(
        'no service runs, and no `temporal` is on PATH or in the cache',
        `The first \`millrace dev\` or \`demo\` gets CLI ${temporalVersion.cli}; or install it, or set TEMPORAL_ADDRESS.`,
      );
    }
    const version = await programOutput(cli, ['--version']);
    return version === undefined
      ? fail(`${cli} does not run`, 'Remove it, or put a working `temporal` on PATH.')
      : ok(`${version.split('\n')[0]} (${cli}); started by \`millrace dev\` or \`demo\``);
  },
};

async function configuredService(config: Config, address: string): Promise<Finding> {
  try {
    const { connection } = await connectTemporal(config);
    const { serverVersion } = await connection.workflowService.getSystemInfo({});
    await connection.close();
    return ok(`service ${serverVersion} at ${address}, namespace ${config.temporal.namespace}`);
  } catch (error) {
    if (!isMillraceError(error)) throw error;
    return fail(error.what, error.hint ?? 'Look at TEMPORAL_ADDRESS.');
  }
}

async function answers(config: Config): Promise<boolean> {
  try {
    const { connection } = await connectTemporal(config, { timeoutMs: 3_000 });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}
