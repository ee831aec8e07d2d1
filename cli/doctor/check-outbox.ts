import { openCatalog } from '../../store/open-catalog.js';
import type { ReceiverState } from '../../store/outbox.js';
import { plainLine } from '../render/text-width.js';
import type { Check } from './check.js';
import { ok, warn } from './check.js';

const longMs = 5 * 60_000;

export const outboxCheck: Check = {
  name: 'outbox',
  async look({ catalog: url }) {
    await using catalog = await openCatalog(url);
    const receivers = await catalog.outbox.receivers();
    if (receivers.length === 0) return ok('nothing is sent to anybody');
    const stuck = receivers.filter(isStuck);
    if (stuck.length === 0)
      return ok(receivers.map(({ receiver, waiting }) => `${receiver}: ${waiting} waiting`).join(', '));
    return warn(
      stuck.map(describe).join('; '),
      'See `millrace outbox ls`; when the receiver is there again, `millrace outbox retry`.',
    );
  },
};

const isStuck = ({ head }: ReceiverState): boolean =>
  head !== undefined && Date.now() - Date.parse(head.createdAt) > longMs;

const describe = ({ receiver, waiting, head }: ReceiverState): string =>
  `${waiting} waiting for ${receiver} since ${head?.createdAt ?? ''}: ${plainLine(head?.error ?? 'no worker sends to it')}`;
