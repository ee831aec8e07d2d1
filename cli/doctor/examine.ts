import type { Config } from '../../config/config.js';
import { loadConfig } from '../../config/load-config.js';
import { isMillraceError } from '../../sdk/errors.js';
import type { Check, Finding } from './check.js';
import { fail, ok } from './check.js';
import { dockerCheck } from './check-docker.js';
import { outboxCheck } from './check-outbox.js';
import { projectCheck } from './check-project.js';
import { catalogCheck, diskCheck, storeCheck } from './check-stores.js';
import { temporalCheck } from './check-temporal.js';
import { nodeCheck, packageCheck, pythonCheck } from './check-versions.js';

export type Examined = Finding & { readonly name: string };

const checks: readonly Check[] = [
  nodeCheck, packageCheck, pythonCheck, dockerCheck, temporalCheck, catalogCheck, outboxCheck, storeCheck, diskCheck, projectCheck,
]; // prettier-ignore

/** Looks at all that Millrace needs, one after the other, yielding each finding when it is known. */
export async function* examine(): AsyncIterable<Examined> {
  let config: Config;
  try {
    config = await loadConfig();
    yield { name: 'config', ...ok(`${config.projectDir}, state in ${config.stateDir}`) };
  } catch (error) {
    // Every other check asks for what the configuration says.
    yield { name: 'config', ...failed(error) };
    return;
  }
  for (const { name, look } of checks) {
    yield { name, ...(await look(config).catch(failed)) };
  }
}

const failed = (error: unknown): Finding =>
  isMillraceError(error)
    ? fail(error.what.trimEnd(), error.hint ?? 'Correct it and try again.')
    : fail(error instanceof Error ? error.message : String(error), 'MILLRACE_DEBUG=1 says more.');
