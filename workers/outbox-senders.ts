import { randomBytes } from 'node:crypto';
import { resolveSecrets } from '../activities/secrets.js';
import type { StepEnvironment } from '../activities/step-environment.js';
import type { Config } from '../config/config.js';
import { packageVersion } from '../config/package-root.js';
import { openLineageReceiver } from '../lineage/open-lineage/open-lineage-receiver.js';
import { notifyReceiver } from '../notify/notify-receiver.js';
import type { Receiver } from '../outbox/receiver.js';
import { sendOutbox } from '../outbox/send-outbox.js';
import { createReleasers } from './releasers.js';
import { repeat } from './repeat.js';

const everyMs = 1_000;
const pruneEveryMs = 60 * 60_000;
const rememberMs = 30 * 24 * 60 * 60_000;
/** What is still due at the end of the host may take so long; the rest waits in the catalog. */
const lastMs = 2_000;

export type SenderOptions = {
  readonly config: Config;
  readonly env: Pick<StepEnvironment, 'catalog' | 'secrets' | 'worker' | 'logger'>;
};

/**
 * Sends what waits in the outbox to each receiver that the configuration names, in the background. Each has a loop of its own,
 * so that one that is away holds up no other. Dispose sends what is due, for a moment.
 */
export async function outboxSenders({ config, env }: SenderOptions): Promise<AsyncDisposable> {
  const { catalog, logger, worker } = env;
  const { outbox } = catalog;
  const receivers = configuredReceivers({ config, env });
  const holder = `${worker}:${randomBytes(4).toString('hex')}`;
  const stopping = new AbortController();
  const loops = createReleasers();
  const sendTo = (receiver: Receiver, signal: AbortSignal) =>
    sendOutbox({ outbox, receiver, holder, logger, signal });
  for (const receiver of receivers) {
    await outbox.subscribe(receiver.name, receiver.topics);
    loops.use(repeat(everyMs, async () => void (await sendTo(receiver, stopping.signal)), logger));
  }
  if (receivers.length > 0)
    loops.use(repeat(pruneEveryMs, () => outbox.prune(new Date(Date.now() - rememberMs)), logger));
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await loops.release();
      const signal = AbortSignal.timeout(lastMs);
      await Promise.allSettled(receivers.map((receiver) => sendTo(receiver, signal)));
    },
  };
}

/** Every receiver there is: later senders add theirs here. */
function configuredReceivers({ config, env }: SenderOptions): readonly Receiver[] {
  const { catalog, logger } = env;
  const secret = async (name: string) => (await resolveSecrets([{ name }], env.secrets))[0]?.value;
  const { openLineage: target, openLineageSecret: name, namespace } = config.lineage;
  return [
    ...config.notify.map((each) => notifyReceiver(each, { catalog, logger, secret, cwd: config.projectDir })),
    ...(target === undefined
      ? []
      : [
          openLineageReceiver({
            catalog,
            target,
            namespace,
            version: packageVersion(),
            ...(name !== undefined && { token: () => secret(name) }),
          }),
        ]),
  ];
}
