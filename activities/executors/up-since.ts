import { uptime } from 'node:os';
import type Docker from 'dockerode';
import { engineDial, hasLiveRestore } from './engine-dial.js';

/** When this host was started, ms. */
export const bootedAt = (): number => Date.now() - uptime() * 1000;

/**
 * Since when containers could run on without a break, ms: the start of the host, or of an engine that takes its containers down
 * with it. An engine does not tell when it was started; the bridge network is made anew then, where there is one.
 */
export async function upSince(modem: Docker['modem']): Promise<number> {
  const booted = bootedAt();
  try {
    const { Created } = await engineDial<{ readonly Created?: string }>(modem, {
      path: '/networks/bridge',
      method: 'GET',
      abortSignal: AbortSignal.timeout(answerMs),
    });
    const started = Date.parse(Created ?? '');
    return started > booted && !(await hasLiveRestore(modem)) ? started : booted;
  } catch {
    return booted;
  }
}

const answerMs = 5_000;
