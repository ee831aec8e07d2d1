import { createHash } from 'node:crypto';
import type { NotifyTarget } from '../sdk/notify-target.js';
import type { Receiver } from '../outbox/receiver.js';
import type { Catalog } from '../store/catalog.js';
import type { NoticeMessage, OutboxMessage } from '../store/outbox.js';
import { noticeOf } from './notice.js';
import { postWebhook } from './post-webhook.js';
import type { RunCommandOptions } from './run-command.js';
import { runCommand } from './run-command.js';

export type NotifyOptions = Omit<RunCommandOptions, 'input' | 'env' | 'signal'> & {
  readonly catalog: Pick<Catalog, 'run'>;
  /** Value of a secret, asked for each message, so that it may change. */
  readonly secret: (name: string) => Promise<string | undefined>;
};

/** Its name in the outbox. */
export const receiverName = (target: Pick<NotifyTarget, 'name'>): string => `notify/${target.name}`;

/** A program may take longer to answer than a service; both end before another worker may send. */
const commandMs = 25_000;

/** Tells a service or a program of runs that want attention. */
export function notifyReceiver(target: NotifyTarget, options: NotifyOptions): Receiver {
  return {
    name: receiverName(target),
    topics: target.on.map((event) => `notify.${event}` as const),
    ...('command' in target && { timeoutMs: commandMs }),
    async send(message, signal) {
      const notice = await noticeOf(message.body as NoticeMessage, message.createdAt, options.catalog);
      if (!notice) return;
      const body = JSON.stringify(notice);
      const id = messageId(message);
      if ('url' in target) {
        const { url, secret: name } = target;
        const secret = name === undefined ? undefined : await options.secret(name);
        return postWebhook(url, { id, body, secret, signal });
      }
      const env = { MILLRACE_NOTICE_ID: id, MILLRACE_NOTICE_TYPE: notice.type };
      await runCommand(target.command, { ...options, input: body, env, signal });
    },
  };
}

/** The same one whenever the message is sent again: who has seen it need not take it twice. */
const messageId = ({ receiver, key }: OutboxMessage): string =>
  `msg_${createHash('sha256').update(`${receiver} ${key}`).digest('hex').slice(0, 32)}`;
