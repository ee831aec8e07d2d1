import { stat } from 'node:fs/promises';
import type Docker from 'dockerode';
import type { StatePaths } from '../../config/state-paths.js';
import { containerPaths, contract } from '../../sdk/step-contract.js';
import { enginePatience } from './engine-call.js';
import { withFileLock } from './file-lock.js';
import { nineDigits } from './find-container.js';
import type { ExecutionIdentity } from './executor.js';
import type { BeforeRemoval } from './leftovers.js';
import { readRest } from './follow-output.js';
import { openOutputLog } from './output-log.js';
import { leftSecretValues } from './secret-files.js';

const busyMs = 500;
const answerWithinMs = 10_000;

/**
 * Ends a container that is to be removed, and takes what it printed since nobody followed it into its attempt's log. Where somebody
 * still does that one has it all; where the engine does not answer it is lost.
 */
export const keepOutput =
  ({ attemptLog }: Pick<StatePaths, 'attemptLog'>): BeforeRemoval =>
  async (container, identity) => {
    const file = attemptLog(identity.run, identity.step, identity.attempt);
    // It was never begun here, or its run is gone.
    if (!(await stat(file).catch(() => undefined))) return;
    await withFileLock(`${file}.lock`, () => takeRest(container, { ...identity, file }), {
      signal: AbortSignal.timeout(busyMs),
    }).catch(() => undefined);
  };

type Kept = ExecutionIdentity & { readonly file: string };

async function takeRest(container: Docker.Container, { file, ...identity }: Kept): Promise<void> {
  const { Created, Mounts } = await container.inspect({ abortSignal: AbortSignal.timeout(answerWithinMs) });
  await container
    .kill({ signal: 'SIGKILL', abortSignal: AbortSignal.timeout(answerWithinMs) })
    .catch(() => undefined);
  const secrets = await leftSecretValues(identity);
  const log = await openOutputLog(file, { secrets, createdAt: nineDigits(Created) });
  try {
    if (secrets.length === 0 && Mounts.some(({ Destination }) => Destination === secretsInside))
      await log.note(
        'millrace: the rest of the output is not kept: its secrets are gone, and cannot be hidden',
      );
    else
      await readRest(
        { container, log, patience: { ...enginePatience, answerMs: answerWithinMs } },
        AbortSignal.timeout(answerWithinMs),
      );
  } finally {
    await log.close();
  }
}

const secretsInside = `${containerPaths.folder}/${contract.secrets}`;
